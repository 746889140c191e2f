"""Standard texts of characters."""

from __future__ import annotations

from nas_rnn.tasks.download import Download, RemoteFile

DOWNLOADS = (
    Download(
        name="tinyshakespeare",
        summary="plays of Shakespeare, 1.1 million characters (Karpathy 2015); 1.1 MB",
        licence="public domain",
        source="https://github.com/karpathy/char-rnn",
        files=(
            RemoteFile(
                url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                checksum="sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                name="tinyshakespeare.txt",
            ),
        ),
        use="tinyshakespeare.txt",
    ),
    Download(
        name="text8",
        summary="Wikipedia's articles in 27 characters, 100 million of them (Mahoney 2011); 31 MB packed",
        licence="Creative Commons Attribution-ShareAlike (CC BY-SA 3.0), text of Wikipedia",
        source="https://mattmahoney.net/dc/textdata.html",
        files=(
            RemoteFile(
                url="http://mattmahoney.net/dc/text8.zip",
                checksum="sha256:a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
                members=("text8",),
                unpack=True,
            ),
        ),
        use="text8",
    ),
)
