"""Writes the queries of Grafana dashboards as a file of rules, for promtool to check."""

import json
import sys

VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "1m"}


def expressions(path):
    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


rules = []
for path in sys.argv[1:]:
    for expression in expressions(path):
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        rules.append({"record": f"query:{len(rules)}", "expr": expression})
# JSON is YAML too.
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout, indent=1)
