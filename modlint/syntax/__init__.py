"""The syntax room: paths -> files, bytes -> representations, comments -> directives, import names -> files."""
