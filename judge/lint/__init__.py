"""`judge rubric lint`: what is wrong, or likely wrong, with a rubric and with the units that it scores.

rule.py        every rule, and how bad it is
finding.py     what was found, and where
source.py      a rubric's file   -> its YAML, and places in it
statement.py   YAML, units       -> the texts that a judge decides on
structure.py   YAML              -> findings   what YAML and the format refuse
weights.py     YAML              -> findings   points and weights that cannot score
template.py    a text            -> remarks    Jinja in it, escapes from the sandbox first
wording.py     a statement       -> remarks    compound, vague, or telling the judge how to score
pair.py        a preference      -> remarks    one of the two traces called by its place
polarity.py    a statement       -> remarks    whether MET is good
units.py       a record's units  -> remarks    answers and claims that are given away, quotes of nothing
rubric_file.py a rubric's name   -> Findings   all of the above
records.py     a trace file      -> Findings   of its units
"""
