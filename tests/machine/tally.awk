# Counts what libtest printed (under cargo test, or under run-tests), and ends with an exit status:
# 0 only if something passed, nothing failed, and every program lived to its last line.
# A test that cannot run here says so in a line `SKIP <test>: <reason>` and returns; libtest counts it
# as passed, so such tests are taken off again. Usage: awk -v title=WORDS -f tally.awk LOG

function close_program() {
  if (program != "" && !finished) {
    crashed[program] = (error != "" ? error : "ended without a result") (last != "" ? ", in test " last : "")
  }
  finished = 0
  error = last = ""
  listing = 0
}

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
}

/^test [^ ]+ \.\.\./ { last = $2 }

/^error: / { if (program != "") error = substr($0, 8) }

/^failures:$/ { listing = 1 }

listing && /^    [A-Za-z0-9_:]+$/ { failures[program ": " $1] = 1 }

/^test result: / {
  for (i = 1; i < NF; i++) {
    if ($(i + 1) ~ /^passed;/) passed += $i
    if ($(i + 1) ~ /^failed;/) failed += $i
  }
  finished = 1
  listing = 0
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
