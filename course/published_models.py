"""Models from papers by their published shapes, counted exactly, and the published counts to compare with.

`Decoder` is a decoder-only Transformer as a paper's table gives it; `Decoder.counts()` is the same `Counts` as for
the course's own models. GPT2, GPT3 and CHINCHILLA hold shapes and published sizes, TABLE_3 and TABLE_A4 two
tables of Hoffmann et al. (2022). All of these are the authors' figures in others' transcription (`SOURCES`), never
findings of the course. Lesson 2.1 counts them again.
"""

from __future__ import annotations

from dataclasses import dataclass

from course.counting import Counts
from course.inputs import whole

__all__ = [
    "CHINCHILLA",
    "GPT2",
    "GPT3",
    "SOURCES",
    "TABLE_3",
    "TABLE_A4",
    "Decoder",
    "Published",
    "appendix_f_flops",
]


@dataclass(frozen=True)
class Decoder:
    """`layers` blocks of attention (`heads` heads of `d_head`, query, key, value and output) and feed-forward `d_ff`.

    `positions`: "learned", a table of `length` rows; "relative", a further matrix d_model x heads d_head and two
    vectors heads d_head in each block (Dai et al. 2019); or "none", no parameters. `biases` on every matrix
    but the head, `gains` numbers per channel in each of the 2 layers + 1 normalisations. `tied`: the head is the
    embedding's table, which is then counted once, as the head, where it multiplies.
    """

    layers: int
    d_model: int
    heads: int
    d_head: int
    d_ff: int
    vocabulary: int
    length: int
    positions: str = "none"
    biases: bool = False
    gains: int = 1
    tied: bool = False

    def __post_init__(self) -> None:
        for name in ("layers", "d_model", "heads", "d_head", "d_ff", "vocabulary", "length"):
            whole(name, getattr(self, name))
        whole("gains", self.gains, 0)
        if self.positions not in ("learned", "relative", "none"):
            raise ValueError(f"positions is 'learned', 'relative' or 'none'; got {self.positions!r}.")

    @property
    def inner(self) -> int:
        """Width of queries, keys and values together: heads times d_head, which need not be d_model."""
        return self.heads * self.d_head

    def counts(self) -> Counts:
        """Parameters, and FLOPs a token in a sequence of `length` tokens.

        Attention computes all pairs of positions, as most programs do, also those that the mask hides. What
        relative positions multiply is left out of the FLOPs, as in Hoffmann et al. (2022, appendix F).
        """
        matrices = 4 * self.d_model * self.inner + 2 * self.d_model * self.d_ff
        relative = self.positions == "relative"
        vectors = self.biases * (3 * self.inner + self.d_model + self.d_ff + self.d_model)
        vectors += 2 * self.gains * self.d_model + relative * 2 * self.inner
        table = self.vocabulary * self.d_model
        return Counts(
            embedding=0 if self.tied else table,
            positions=self.length * self.d_model if self.positions == "learned" else 0,
            body=self.layers * (matrices + relative * self.d_model * self.inner),
            head=table,
            vectors=self.layers * vectors + self.gains * self.d_model,
            body_flops=2 * self.layers * matrices,
            attention_flops=self.layers * 4 * self.length * self.inner,
            head_flops=2 * table,
        )


@dataclass(frozen=True)
class Published:
    """A model as its paper gives it: `n_params` parameters, rounded as in the paper."""

    name: str
    year: int
    n_params: float
    decoder: Decoder


def _gpt2(name: str, millions: float, layers: int, d_model: int, heads: int) -> Published:
    shape = Decoder(layers, d_model, heads, 64, 4 * d_model, 50_257, 1024, "learned", True, 2, True)
    return Published(name, 2019, 1e6 * millions, shape)


GPT2 = (
    _gpt2("GPT-2 small", 124, 12, 768, 12),
    _gpt2("GPT-2 medium", 355, 24, 1024, 16),
    _gpt2("GPT-2 large", 774, 36, 1280, 20),
    _gpt2("GPT-2 XL", 1558, 48, 1600, 25),
)
"""The four sizes of GPT-2 (Radford et al. 2019), with the sizes that they are known by."""

GPT3 = Published("GPT-3", 2020, 175e9, Decoder(96, 12_288, 96, 128, 49_152, 50_257, 2048, "learned", True, 2, True))
"""GPT-3 175B (Brown et al. 2020, table 2.1); trained on 300 billion tokens."""

# Million parameters, d_model, d_ff, d_head, heads, layers.
_A9 = """
44 512 2048 64 8 8; 57 576 2304 64 9 9; 74 640 2560 64 10 10; 90 640 2560 64 10 13; 106 640 2560 64 10 16;
117 768 3072 64 12 12; 140 768 3072 64 12 15; 163 768 3072 64 12 18; 175 896 3584 64 14 14; 196 896 3584 64 14 16;
217 896 3584 64 14 18; 251 1024 4096 64 16 16; 278 1024 4096 64 16 18; 306 1024 4096 64 16 20;
425 1280 5120 128 10 18; 489 1280 5120 128 10 21; 509 1408 5632 128 11 18; 552 1280 5120 128 10 24;
587 1408 5632 128 11 21; 632 1536 6144 128 12 19; 664 1408 5632 128 11 24; 724 1536 6144 128 12 22;
816 1536 6144 128 12 25; 893 1792 7168 128 14 20; 1018 1792 7168 128 14 23; 1143 1792 7168 128 14 26;
1266 2048 8192 128 16 22; 1424 2176 8704 128 17 22; 1429 2048 8192 128 16 25; 1593 2048 8192 128 16 28;
1609 2176 8704 128 17 25; 1731 2304 9216 128 18 24; 1794 2176 8704 128 17 28; 2007 2304 9216 128 18 28;
2283 2304 9216 128 18 32; 2298 2560 10240 128 20 26; 2639 2560 10240 128 20 30; 2980 2560 10240 128 20 34;
3530 2688 10752 128 22 36; 3802 2816 11264 128 22 36; 4084 2944 11776 128 22 36; 4516 3072 12288 128 24 36;
6796 3584 14336 128 28 40; 9293 4096 16384 128 32 42; 11452 4352 17408 128 32 47; 12295 4608 18432 128 36 44;
12569 4608 18432 128 32 47; 13735 4864 19456 128 32 47; 14940 4992 19968 128 32 49; 16183 5120 20480 128 40 47
"""


def _chinchilla(row: str) -> Published:
    millions, d_model, d_ff, d_head, heads, layers = map(int, row.split())
    shape = Decoder(layers, d_model, heads, d_head, d_ff, 32_000, 2048, "relative", True, 0, True)
    return Published(f"{millions}M", 2022, 1e6 * millions, shape)


CHINCHILLA = tuple(_chinchilla(row) for row in _A9.split(";"))
"""The 50 models of Hoffmann et al. (2022), table A9, smallest first.

With this shape (relative positions, every bias, the table once, no gains) all 50 counts round to the table's
millions. The small vectors are a guess: others that come to 11 d_model a block meet the table as well.
"""

TABLE_3 = (
    (400e6, 1.92e19, 8.0e9),
    (1e9, 1.21e20, 20.2e9),
    (10e9, 1.23e22, 205.1e9),
    (67e9, 5.76e23, 1.5e12),
    (175e9, 3.85e24, 3.7e12),
    (280e9, 9.90e24, 5.9e12),
    (520e9, 3.43e25, 11.0e12),
    (1e12, 1.27e26, 21.2e12),
    (10e12, 1.30e28, 216.2e12),
)
"""Hoffmann et al. (2022), table 3: parameters, FLOPs, tokens of compute-optimal models by their first approach."""

TABLE_A4 = {"74M": 1.03, "306M": 1.10, "552M": 1.08, "1143M": 1.04, "1593M": 1.03, "6796M": 0.99}
"""Hoffmann et al. (2022), table A4: training FLOPs by their appendix F over 6 N D, for six models of CHINCHILLA."""

SOURCES = {
    "GPT2": "shapes and sizes as in the released models' configuration",
    "GPT3": "Brown et al. 2020, tables 2.1 and D.1, in transcription",
    "CHINCHILLA": "Hoffmann et al. 2022, table A9, in the transcription of nanoGPT's scaling_laws notebook",
    "TABLE_3": "Hoffmann et al. 2022, table 3, in transcription (several agree)",
    "TABLE_A4": "Hoffmann et al. 2022, table A4, in the transcription of nanoGPT's scaling_laws notebook",
}
"""Where the figures were taken from."""


def appendix_f_flops(model: Decoder, embedding_and_head: bool = True) -> float:
    """Training FLOPs a token by Hoffmann et al. (2022), appendix F: three times their forward count.

    They count attention's softmax, 3 FLOPs for each head and pair of positions, and, as the appendix is written, the
    embedding as a product as large as the head's. Their table A4 comes out without both
    (`embedding_and_head=False`), which the text does not say.
    """
    c = model.counts()
    softmax = 3 * model.layers * model.heads * model.length
    forward = c.body_flops + c.attention_flops + softmax + embedding_and_head * 2 * c.head_flops
    return 3.0 * forward
