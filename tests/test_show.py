"""How messages turn into HTML."""

from __future__ import annotations

from course.show import box, folded, prose


def test_code_emphasis_blocks_and_paragraphs():
    assert prose("Divide by `len(y)`.") == "Divide by <code>len(y)</code>."
    assert prose("the mean of *all* labels") == "the mean of <em>all</em> labels"
    assert prose("2 * 3 and `a * b * c`") == "2 * 3 and <code>a * b * c</code>"
    assert prose("one\n\ntwo") == "one<br><br>two"
    assert "<pre" in prose("so:\n```\nx = 1 < 2\n```") and "1 &lt; 2" in prose("```x = 1 < 2```")


def test_everything_is_escaped():
    for text in ("<script>", "`<script>`", "*<script>*", "```<script>```"):
        assert "<script" not in prose(text)
        assert "<script" not in box("note", text, prose(text))
        assert "<script" not in folded([text])
