"""What models learn: one module a domain.

`synthetic` draws data whose best possible loss is known; `tabular` holds small real data sets.
"""
