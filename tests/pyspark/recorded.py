"""A table of PySpark code whose answers are held to those that a real Spark's server gave."""
import argparse
import json
import os
import pathlib
import sys


def main(script, make, cases, different=None):
    """Runs the cases and ends the process. `make(url)` has `answer(code)` and a `folder`, whose path is left out of the
    answers; `different` are those that are otherwise than Spark's on purpose."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", help="cases that hold this text", default="")
    options = parser.parse_args()
    file = pathlib.Path(script).with_suffix(".json")
    table = make(options.url)
    answers = {code: table.answer(code) for code in cases if options.only in code}
    answers = json.loads(json.dumps(answers).replace(table.folder, "FOLDER"))
    failed = 0
    if options.record:
        file.write_text(json.dumps(answers, indent=0) + "\n")
    else:
        wanted = {**json.loads(file.read_text()), **(different or {})}
        for code, answer in answers.items():
            if answer != wanted.get(code):
                failed += 1
                print(f"{code}\n  {answer}\n  instead of\n  {wanted.get(code)}")
        print(f"{len(answers) - failed} passed, {failed} failed")
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # the client's threads would hold it
