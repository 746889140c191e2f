"""Standard pictures in IDX files. The checksums are those of torchvision (`torchvision/datasets/mnist.py`)."""

from __future__ import annotations

from nas_rnn.tasks.download import Download, RemoteFile

_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _files(place: str, *checksums: str) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(url=place + name, checksum=f"md5:{checksum}")
        for name, checksum in zip(_NAMES, checksums, strict=True)
    )


DOWNLOADS = (
    Download(
        name="mnist",
        summary="70,000 handwritten digits, 28 x 28 (LeCun et al. 1998); 11 MB",
        licence="Creative Commons Attribution-ShareAlike (CC BY-SA 3.0)",
        source="http://yann.lecun.com/exdb/mnist/",
        files=_files(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    Download(
        name="fashion-mnist",
        summary="70,000 pictures of clothes in 10 kinds, 28 x 28 (Xiao, Rasul, Vollgraf 2017); 31 MB",
        licence="MIT",
        source="https://github.com/zalandoresearch/fashion-mnist",
        files=_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
)
