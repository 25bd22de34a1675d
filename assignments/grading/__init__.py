"""Grading a class on one's own machine: `make grade SET=layers SUBMISSIONS=dir ROSTER=file`.

What a student wrote runs in a confined process (`runner`, started by `sandbox`) that holds
no test and no answer, and gives back plain data. Another process (`worker`), which never
loads a student's code, runs otter's tests on that data. Everybody on the roster gets a row.
"""
