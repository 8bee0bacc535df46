"""What counts as a change of a lesson, and what a run says it has used."""

import json

from tools import provenance


def test_a_fingerprint_sees_code_and_nothing_else(tmp_path):
    def fingerprint(code):
        (tmp_path / "module.py").write_text(code)
        return provenance.fingerprint_module(tmp_path / "module.py")

    plain = fingerprint("def f(x):\n    return x + 1\n")
    assert fingerprint('"""New."""\n# note\n\ndef f(x):\n    """Says more."""\n    return x+1\n') == plain
    assert fingerprint("def f(x):\n    return x + 2\n") != plain
    assert fingerprint('def f(x):\n    return "x + 1"\n') != plain


def test_used_names_what_was_used(run_python):
    code = (
        "import json, course_utils; from course_utils import claim, load;"
        "course_utils.setup('02_convolution'); load('mnist');"
        "from tools.provenance import used; print(json.dumps(used()))"
    )
    root = provenance.ROOT
    done = run_python("-c", code, PYTHONPATH=root, COURSE_DATA="sample")
    record = json.loads(done.stdout.splitlines()[-1])
    assert {"course_utils.claims", "course_utils.data", "course_utils._images.sources"} <= record["modules"].keys()
    assert "course_utils.training" not in record["modules"] and "course_utils" not in record["modules"]
    assert record["resources"].keys() == {
        "needs/02_convolution.toml",
        "_images/catalogue.toml",
        "_images/words.toml",
        "_images/sample/mnist.npz",
    }
    assert "torch" in record["distributions"]
    assert record["data"]["mnist"]["copy"] == "sample" and record["course_data"] == "sample"


def test_what_setuptools_brings_along_is_no_distribution_of_its_own(run_python, tmp_path):
    for folder in ("_vendor", "plain"):
        about = tmp_path / folder / f"looms_{folder}-1.0.dist-info"
        about.mkdir(parents=True)
        (tmp_path / folder / f"looms_{folder}.py").touch()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: looms-{folder}\nVersion: 1.0\n")
        (about / "top_level.txt").write_text(f"looms_{folder}\n")
    code = (
        f"import sys; sys.path += [{str(tmp_path / '_vendor')!r}, {str(tmp_path / 'plain')!r}];"
        "import json, looms__vendor, looms_plain; from tools.provenance import used;"
        "print(json.dumps(used()['distributions']))"
    )
    done = run_python("-c", code, PYTHONPATH=provenance.ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    assert "looms-plain" in found and "looms--vendor" not in found and "looms-_vendor" not in found
