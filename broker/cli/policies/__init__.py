"""`broker policies`: work on policy files, without a server."""

import typer

from broker.cli.policies import (
    check_command,
    diff_command,
    explain_command,
    import_command,
    observed_command,
    pin_command,
    report_command,
    schema_command,
    simulate_command,
    test_command,
)

app = typer.Typer(
    help="Check, test and explain policy files; no server is needed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("check")(check_command.check)
app.command("test")(test_command.run_tests)
app.command("explain")(explain_command.explain)
app.command("schema")(schema_command.schema)
app.command("diff")(diff_command.diff)
app.command("simulate")(simulate_command.simulate)
app.command("pin")(pin_command.pin)
app.command("report")(report_command.report)
app.command("observed")(observed_command.observed)
app.command("import")(import_command.import_)
