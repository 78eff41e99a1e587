"""Auditing a model: attacks that fit it again, and lower bounds on epsilon from what they find.

`tabsynth.audit.audit.audit` plans the fits of one or more methods, does them (in several processes
where asked, and from where it stopped before) and returns an `AuditResult`. A method is a subclass
of `Audit` with one decorator.
"""

from tabsynth.audit.audit import Prepared, audit, carry_out, prepare
from tabsynth.audit.base import Audit, Job, Probe, Run, Setting, audits
from tabsynth.audit.result import AuditResult, MethodResult

__all__ = [
    "Audit",
    "AuditResult",
    "Job",
    "MethodResult",
    "Prepared",
    "Probe",
    "Run",
    "Setting",
    "audit",
    "audits",
    "carry_out",
    "prepare",
]
