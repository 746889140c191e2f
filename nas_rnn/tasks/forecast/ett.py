"""The Electricity Transformer Temperature data sets of Zhou et al. (2021, Informer), to be fetched."""

from __future__ import annotations

from nas_rnn.tasks.download import Download, RemoteFile

_URL = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
_SETS = {
    "ETTh1": ("hourly, 17,420 rows", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
    "ETTh2": ("hourly, 17,420 rows", "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b"),
    "ETTm1": (
        "every 15 minutes, 69,680 rows",
        "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    ),
    "ETTm2": (
        "every 15 minutes, 69,680 rows",
        "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
    ),
}

ETT = tuple(
    Download(
        name=name.lower(),
        summary=f"loads and oil temperature of an electricity transformer, {spacing}, 7 variables",
        licence="CC BY-ND 4.0",
        source="https://github.com/zhouhaoyi/ETDataset",
        files=(RemoteFile(url=f"{_URL}/{name}.csv", checksum=f"sha256:{checksum}"),),
        use=f"{name}.csv",
    )
    for name, (spacing, checksum) in _SETS.items()
)
