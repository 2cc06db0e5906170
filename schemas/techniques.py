"""Ids of techniques: how each framework writes them, and which were revoked for which others.

Source: MITRE ATT&CK changelogs of version 7 to 16 (`revoked-by` relations), DISARM Red framework, MITRE ATLAS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType


def _listed(text: str) -> list[str]:
    return text.split()


_FORMS = MappingProxyType(
    {
        "attack-enterprise": re.compile(r"T(1[0-9]{3})(?:\.[0-9]{3})?|TA(00[0-9]{2})"),
        "attack-mobile": re.compile(r"T(1[0-9]{3})(?:\.[0-9]{3})?|TA(00[0-9]{2})"),
        "attack-ics": re.compile(r"T(0[89][0-9]{2}|1[0-9]{3})(?:\.[0-9]{3})?|TA(01[0-9]{2})"),
        "disarm": re.compile(r"T(0[0-9]{3})(?:\.[0-9]{3})?|TA([0-9]{2})"),
        "amitt": re.compile(r"T(0[0-9]{3})(?:\.[0-9]{3})?|TA([0-9]{2})"),
        "atlas": re.compile(r"AML\.TA?(0[0-9]{3})(?:\.[0-9]{3})?"),
    }
)
_LAST = MappingProxyType(
    {
        "attack-enterprise": 1750,
        "attack-mobile": 1750,
        "attack-ics": 1750,
        "disarm": 200,
        "amitt": 200,
        "atlas": 199,
    }
)
"""No technique of these has a higher number, with room for what comes."""

_REVOKED_ENTERPRISE = _listed(
    """
    T1002 T1560  T1009 T1027.001  T1013 T1547.010  T1015 T1546.008  T1017 T1072  T1019 T1542.001  T1022 T1560
    T1023 T1547.009  T1024 T1573  T1028 T1021.006  T1031 T1543.003  T1032 T1573  T1034 T1574  T1035 T1569.002
    T1038 T1574.001  T1042 T1546.001  T1044 T1574.010  T1045 T1027.002  T1050 T1543.003  T1054 T1562.006  T1058 T1574.011
    T1060 T1547.001  T1063 T1518.001  T1065 T1571  T1066 T1027.005  T1067 T1542.003  T1073 T1574.002  T1075 T1550.002
    T1076 T1021.001  T1077 T1021.002  T1079 T1573  T1081 T1552.001  T1084 T1546.003  T1085 T1218.011  T1086 T1059.001
    T1088 T1548.002  T1089 T1562.001  T1093 T1055.012  T1094 T1095  T1096 T1564.004  T1097 T1550.003  T1099 T1070.006
    T1100 T1505.003  T1101 T1547.005  T1103 T1546.010  T1107 T1070.004  T1109 T1542.002  T1116 T1553.002  T1117 T1218.010
    T1118 T1218.004  T1121 T1218.009  T1122 T1546.015  T1126 T1070.005  T1128 T1546.007  T1130 T1553.004  T1131 T1547.002
    T1138 T1546.011  T1139 T1552.003  T1141 T1056.002  T1142 T1555.001  T1143 T1564.003  T1144 T1553.001  T1145 T1552.004
    T1146 T1070.003  T1147 T1564.002  T1148 T1562.003  T1150 T1547.011  T1151 T1036.006  T1152 T1569.001  T1154 T1546.005
    T1155 T1059.002  T1156 T1546.004  T1157 T1574.004  T1158 T1564.001  T1159 T1543.001  T1160 T1543.004  T1161 T1546.006
    T1162 T1547.011  T1163 T1037.004  T1164 T1547.007  T1165 T1037.005  T1166 T1548.001  T1167 T1555.002  T1168 T1053
    T1169 T1548.003  T1170 T1218.005  T1171 T1557.001  T1172 T1090.004  T1173 T1559.002  T1174 T1556.002  T1177 T1547.008
    T1178 T1134.005  T1179 T1056.004  T1180 T1546.002  T1181 T1055.011  T1182 T1546.009  T1183 T1546.012  T1184 T1563.001
    T1186 T1055.013  T1188 T1090.003  T1191 T1218.003  T1192 T1566.002  T1193 T1566.001  T1194 T1566.003  T1196 T1218.002
    T1198 T1553.003  T1206 T1548.003  T1208 T1558.003  T1209 T1547.003  T1214 T1552.002  T1215 T1547.006  T1223 T1218.001
    T1483 T1568.002  T1487 T1561.002  T1488 T1561.001  T1492 T1565.001  T1493 T1565.002  T1494 T1565.003  T1500 T1027.004
    T1501 T1543.002  T1502 T1134.004  T1503 T1555.003  T1504 T1546.013  T1506 T1550.004  T1514 T1548.004  T1519 T1546.014
    T1522 T1552.005  T1527 T1550.001  T1536 T1578.004  T1328 T1583.001  T1329 T1583.006  T1330 T1584  T1334 T1584.001
    T1335 T1584  T1346 T1583  T1352 T1587  T1345 T1587.001  T1362 T1608.001  T1367 T1566.001  T1369 T1566.002
    T1368 T1598
    """
)
REVOKED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "attack-enterprise": MappingProxyType(
            dict(zip(_REVOKED_ENTERPRISE[::2], _REVOKED_ENTERPRISE[1::2], strict=True))
        ),
    }
)
"""By framework: an id that was revoked, and the one that took its place."""


def fault_of(framework: str, technique: str) -> str | None:
    """What is wrong with the id of a technique, in a sentence; None where it may well exist."""
    newer = REVOKED.get(framework, {}).get(technique)
    if newer is not None:
        return f"{technique} was revoked; it is {newer} today"
    form = _FORMS.get(framework)
    if form is None:
        return None
    found = form.fullmatch(technique)
    if found is None:
        return f"{technique} is no id of {framework}"
    number = int(next(group for group in found.groups() if group is not None))
    if number > _LAST[framework]:
        return f"{framework} has no technique {technique}"
    return None
