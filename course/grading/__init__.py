"""For instructors: hand out an assignment, take it in, grade it in a sandbox, give feedback, export marks.

The way of a submission: `assignment` makes what is handed out, `variants` each student's own numbers in it;
`collecting` finds out whose file is whose (`archives` opens downloads, `handed_in` reads names, `roster` knows the class);
`graft` puts a student's answers into the notebook that was handed out; `sandbox` and `worker` run it where it
can do no harm; `judging` asks it questions from outside and compares the replies; `running` does that for a
class; `gradebook`, `feedback` and `exporting` pass the marks on; `similar` lists pairs to look at. All of them
meet in a class's folder, which `classroom` describes. Nothing outside this package imports it.
"""
