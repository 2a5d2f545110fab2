"""Published shapes give the published counts; conventions give the published ratios."""

import pytest

from course import published_models as published
from course.published_models import CHINCHILLA, GPT2, GPT3, TABLE_3, TABLE_A4, Decoder

BY_NAME = {each.name: each for each in CHINCHILLA}


def test_gpt2_to_the_parameter():
    """124,439,808 and 1,557,611,200 are what the released weights hold."""
    counted = [each.decoder.counts().n_params for each in GPT2]
    assert counted == [124_439_808, 354_823_168, 774_030_080, 1_557_611_200]
    assert [round(n / 1e6) * 1e6 for n in counted] == [each.n_params for each in GPT2]


def test_gpt3_is_the_published_174_600_million():
    assert GPT3.decoder.counts().n_params == 174_604_259_328
    assert 6 * GPT3.decoder.counts().n_params * 300e9 == pytest.approx(3.14e23, rel=0.002)


def test_all_fifty_chinchilla_models_to_the_million():
    assert len(CHINCHILLA) == 50
    for each in CHINCHILLA:
        assert round(each.decoder.counts().n_params / 1e6) * 1e6 == each.n_params, each.name
        assert each.decoder.d_ff == 4 * each.decoder.d_model


def test_six_rows_have_heads_that_do_not_fill_the_width():
    odd = [each.name for each in CHINCHILLA if each.decoder.inner != each.decoder.d_model]
    assert odd == ["3530M", "4084M", "11452M", "12569M", "13735M", "14940M"]


def test_other_small_vectors_meet_the_table_as_well():
    """Gains in place of the positions' two vectors and a bias: the table cannot tell."""
    for each in CHINCHILLA:
        d, c = each.decoder, each.decoder.counts()
        other = c.n_params - d.layers * (2 * d.inner) + d.layers * 2 * d.d_model
        assert abs(other - c.n_params) < 0.001 * c.n_params


@pytest.mark.parametrize(("name", "ratio"), TABLE_A4.items())
def test_table_a4_to_two_decimals(name, ratio):
    model = BY_NAME[name].decoder
    six_n = 6 * model.counts().n_params
    assert round(published.appendix_f_flops(model, embedding_and_head=False) / six_n, 2) == ratio
    assert published.appendix_f_flops(model) / six_n > ratio + 0.02  # as the appendix is written


@pytest.mark.parametrize(("n", "flops", "tokens"), TABLE_3)
def test_table_3_is_six_n_d(n, flops, tokens):
    assert 6 * n * tokens == pytest.approx(flops, rel=0.05 if n == 67e9 else 0.01)


def test_a_decoder_is_counted_as_keras_counts_it():
    import keras
    from keras import layers

    d = Decoder(2, 24, 3, 10, 40, 50, 16, positions="learned", biases=True, gains=2)
    ids, places = keras.Input((16,), dtype="int32"), keras.Input((16,), dtype="int32")
    x = layers.Embedding(50, 24)(ids) + layers.Embedding(16, 24)(places)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(3, 10)(y, y, use_causal_mask=True)
        x = x + layers.Dense(24)(layers.Dense(40)(layers.LayerNormalization()(x)))
    model = keras.Model([ids, places], layers.Dense(50, use_bias=False)(layers.LayerNormalization()(x)))
    assert d.counts().n_params == model.count_params()


def test_a_decoder_agrees_with_the_course_s_own_transformer():
    from course.counting import count_shape
    from course.models import TransformerShape

    ours = count_shape(TransformerShape(16, 50, 24, 2, 3, 96, 50))
    assert Decoder(2, 24, 3, 8, 96, 50, 16).counts() == ours


def test_a_tied_table_is_counted_once():
    tied, untied = (Decoder(1, 8, 2, 4, 32, 100, 16, tied=tied).counts() for tied in (True, False))
    assert untied.n_params - tied.n_params == 800
    assert untied.forward_flops_per_token == tied.forward_flops_per_token


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="positions is"):
        Decoder(1, 8, 2, 4, 32, 100, 16, positions="alibi")
    with pytest.raises(ValueError, match="heads"):
        Decoder(1, 8, 0, 4, 32, 100, 16)


def test_every_published_figure_has_its_source():
    assert set(published.SOURCES) == {"GPT2", "GPT3", "CHINCHILLA", "TABLE_3", "TABLE_A4"}
