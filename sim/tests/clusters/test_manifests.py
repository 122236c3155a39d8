"""The manifests of docs/clusters.md: they are of the form that Kubernetes and AWS Batch take, nothing in them
misspelt, and the command in each, run as either would run it, makes the cells of a local run."""

import csv
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import botocore.loaders
import botocore.model
import botocore.validate
import kubernetes_validate
import yaml

ARBORETUM = pathlib.Path(os.environ["ARBORETUM"])
HERE = pathlib.Path(__file__).resolve().parent
PAGE = (HERE.parents[2] / "docs/clusters.md").read_text()
STUDY = HERE.parent / "slurm/study.toml"


def blocks(language):
    """The code blocks of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def arboretum(*arguments):
    said = subprocess.run([ARBORETUM, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
    return said.stdout


def cells(folder):
    """A study's cells, without what the host measured."""
    with open(folder / "cells.csv") as file:
        return [
            {name: value for name, value in row.items() if not name.startswith("host.")}
            for row in csv.DictReader(file)
        ]


def refused_by_batch(operation, value):
    """What AWS Batch would not take, of one of its operations."""
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("batch", "service-2"))
    shape = model.operation_model(operation).input_shape
    return botocore.validate.ParamValidator().validate(value, shape).generate_report()


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        (job,) = blocks("yaml")
        cls.kubernetes = yaml.safe_load(job)
        cls.definition, cls.batch = map(json.loads, blocks("json"))

    def test_kubernetes_takes_the_job(self):
        kubernetes_validate.validate(self.kubernetes, "1.33", strict=True)
        misspelt = yaml.safe_load(blocks("yaml")[0].replace("completionMode", "completionModes"))
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(misspelt, "1.33", strict=True)
        spec = self.kubernetes["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        self.assertEqual(volumes, {mount["name"] for mount in spec["containers"][0]["volumeMounts"]})

    def test_aws_batch_takes_the_definition_and_the_job(self):
        self.assertEqual(refused_by_batch("RegisterJobDefinition", self.definition), "")
        self.assertEqual(refused_by_batch("SubmitJob", self.batch), "")
        self.assertIn("sizes", refused_by_batch("SubmitJob", self.batch | {"arrayProperties": {"sizes": 40}}))
        self.assertEqual(self.batch["jobDefinition"], self.definition["jobDefinitionName"])
        container = self.definition["containerProperties"]
        volumes = {volume["name"] for volume in container["volumes"]}
        self.assertEqual(volumes, {mount["sourceVolume"] for mount in container["mountPoints"]})

    def test_their_commands_make_the_cells_of_a_local_run(self):
        container = self.kubernetes["spec"]["template"]["spec"]["containers"][0]
        commands = {
            "JOB_COMPLETION_INDEX": container["command"],
            "AWS_BATCH_JOB_ARRAY_INDEX": self.batch["containerOverrides"]["command"],
        }
        with tempfile.TemporaryDirectory() as work:
            local = pathlib.Path(work) / "local"
            arboretum("study", STUDY, "--seeds", 1, "--out", local, "--quiet")
            for index, command in commands.items():
                folder = pathlib.Path(work) / index
                said = arboretum("study", STUDY, "--seeds", 1, "--out", folder, "--manifest")
                tasks = int(re.search(r"(\d+) tasks", said).group(1))
                # The folder is where they mount it, and the program where an image has it.
                words = [word.replace("/study/", f"{folder}/") for word in command]
                path = f"{ARBORETUM.parent}:{os.environ['PATH']}"
                for task in range(tasks):
                    subprocess.run(words, check=True, env=os.environ | {"PATH": path, index: str(task)})
                arboretum("study", STUDY, "--out", folder, "--resume", "--quiet")
                self.assertEqual(cells(folder), cells(local))


if __name__ == "__main__":
    unittest.main()
