"""The command line: `main.py` and one file for each verb.

Data go to the standard output only where `-o -` or `--json` asks for it; everything else goes to
the standard error. Verbs import what they need when they run, so that `--help` is quick.
"""
