from pathlib import Path

from netweft.services.pipeline_doc import document

DOC = Path(__file__).parents[3] / "docs" / "pipeline.md"


def test_the_document_is_current() -> None:
    assert DOC.read_text() == document(), "run: python -m netweft.services.pipeline_doc > docs/pipeline.md"
