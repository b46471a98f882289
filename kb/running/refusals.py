"""Why Concordance does not start, said in one sentence."""


class Refusal(Exception):
    """Its message is shown to the person as it is, without a traceback."""
