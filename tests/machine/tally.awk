# Counts what libtest printed (under cargo test, or under run-tests), and ends with an exit status:
# 0 only if something passed, nothing failed, and every program lived to its last line.
# A test that cannot run here says so in a line `SKIP <test>: <reason>` and returns; libtest counts it
# as passed, so such tests are taken off again. Usage: awk -v title=WORDS [-v record=FILE] -f tally.awk LOG
#
# The record is for `make clauses`: a line `# TITLE`, then `passed|failed|skipped PROGRAM TEST` for each test.

function close_program(  test, words, plain) {
  if (program != "" && !finished) {
    crashed[program] = (error != "" ? error : "ended without a result") (last != "" ? ", in test " last : "")
  }
  for (test in outcome) {
    plain = words[split(test, words, "::")]
    # A skipped test tells its plain name.
    if (outcome[test] == "passed" && ((program, plain) in seen || (program, test) in seen)) {
      outcome[test] = "skipped"
    }
    if (record != "") print outcome[test], executable, test >record
  }
  split("", outcome)
  finished = 0
  error = last = ""
  listing = successes = 0
}

BEGIN { if (record != "") print "# " title >record }

function skip(test, reason) {
  if ((program, test) in seen) return 0
  seen[program, test] = 1
  skipped++
  tests[reason] = tests[reason] "\n      " program ": " test
  count[reason]++
  return 1
}

/^ *(Running|Doc-tests) / {
  close_program()
  program = $0
  sub(/^ *(Running|Doc-tests) /, "", program)
  # Under cargo: `unittests src/lib.rs (target/debug/deps/crate_run-0123456789abcdef)`.
  executable = program
  gsub(/^.*\/|-[0-9a-f]+\)$/, "", executable)
  sub(/ \(.*\)$/, "", program)
  programs++
}

/SKIP [A-Za-z0-9_:]+: / {
  line = $0
  sub(/^.*SKIP /, "", line)
  at = index(line, ": ")
  if (skip(substr(line, 1, at - 1), substr(line, at + 2))) passed--
}

/^test .* \.\.\. ignored/ {
  reason = $0
  if (!sub(/^.* \.\.\. ignored, /, "", reason)) reason = "marked #[ignore]"
  skip($2, reason)
  outcome[$2] = "skipped"
}

/^test [^ ]+ \.\.\./ { last = $2 }

/^test [^ ]+ \.\.\. ok$/ { outcome[$2] = "passed" }

/^error: / { if (program != "") error = substr($0, 8) }

/^failures:$/ { listing = 1; successes = 0 }

# With --show-output twice: first what each test has written, then their names.
/^successes:$/ { successes = 1 }

/^---- / { successes = 0 }

listing && /^    [A-Za-z0-9_:]+$/ { failures[program ": " $1] = 1; outcome[$1] = "failed" }

successes && /^    [A-Za-z0-9_:]+$/ { outcome[$1] = "passed" }

/^test result: / {
  for (i = 1; i < NF; i++) {
    if ($(i + 1) ~ /^passed;/) passed += $i
    if ($(i + 1) ~ /^failed;/) failed += $i
  }
  finished = 1
  listing = successes = 0
}

END {
  close_program()
  for (name in crashed) broken++
  printf "\n%s: %d passed, %d failed, %d skipped", title, passed, failed, skipped
  if (broken) printf ", %d crashed", broken
  printf " (%d programs)\n", programs
  for (reason in count) printf "  skipped %d: %s%s\n", count[reason], reason, tests[reason]
  for (name in failures) printf "  FAILED %s\n", name
  for (name in crashed) printf "  CRASHED %s: %s\n", name, crashed[name]
  if (passed < 1) print "  No test has passed: this run proves nothing."
  exit (failed || broken || passed < 1) ? 1 : 0
}
