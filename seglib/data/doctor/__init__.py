"""The doctor: what is wrong with a prepared data set, and a mended copy of it.

    report = doctor.examine("my_set")
    print(report.table())
    report.write_html("my_set.html")
    doctor.mend(report, "my_set_mended")

Rows 2 and 6 of what users of the older projects asked for (mask formats; good scores that do not
last) are mostly faults that are found here before training.

Chapter: data preparation.
"""

from seglib.data.doctor.examine import examine, validate
from seglib.data.doctor.findings import FAULTS, Finding
from seglib.data.doctor.mend import mend
from seglib.data.doctor.report import Report

__all__ = ["FAULTS", "Finding", "Report", "examine", "mend", "validate"]
