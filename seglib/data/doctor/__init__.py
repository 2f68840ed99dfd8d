"""The doctor: what is wrong with a prepared data set, and a mended copy of it.

    report = doctor.examine("my_set")
    print(report.table())
    report.write_html("my_set.html")
    doctor.fix(report, "my_set_mended")

Many of the questions that users of the older projects asked (masks in odd formats, good scores that
do not last) are faults that are found here before training.

Chapter: data preparation.
"""

from seglib.data.doctor.examine import examine, validate
from seglib.data.doctor.findings import FAULTS
from seglib.data.doctor.findings import Finding as Finding
from seglib.data.doctor.fixes import fix
from seglib.data.doctor.report import Report as Report
from seglib.errors import renamed

__all__ = ["FAULTS", "examine", "fix", "validate"]

__getattr__ = renamed(__name__, {"mend": "seglib.data.doctor.fix"})
