"""The exception handler of a loop."""


def collect_errors(loop):
    """Give the loop an exception handler that appends its context to the list that is returned."""
    contexts = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    return contexts
