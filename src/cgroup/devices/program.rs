//! Device rules as an eBPF program.
//!
//! Kernel: the program gets a pointer to `struct bpf_cgroup_dev_ctx` in r1: `access_type` (the kind of device
//! in the low 16 bits, 1 block and 2 character; the access in the high 16 bits), `major`, `minor`. It returns
//! 1 in r0 to allow and 0 to deny. There is no loop in it and no call.
//!
//! r3 holds the accesses that are still undecided. Rules are looked at from the last to the first: where an
//! allowing rule covers the device, its accesses leave r3, and when none is left the answer is 1; where a
//! denying rule covers it and r3 still has one of its accesses, the answer is 0. At the end the answer is 0.
//! Rules that follow each other with the same verdict may be sorted, so that the kind and the major number
//! are compared once for many rules.
//!
//! ```text
//! r2 = kind, r3 = access, r4 = major, r5 = minor
//! r3 &= ~m; if r3 == 0 goto allow          # a *:* m
//! if r2 != char goto next                  # all of the following are character devices
//! if r4 != 1 goto next                     # null, zero, full, random, urandom
//! if r5 == 3 goto allow ...
//! ```
//!
//! The plain deny-all and allow-all are two instructions. With the built-in rules it is 25.
//! Man page: bpf(2). Kernel: Documentation/bpf/standardization/instruction-set.rst.

use super::insn::{AND, EXIT, Insn, JA, JEQ, JNE, JSET, LOAD, MOV, Program, SHIFT};
use super::simplify::simplify;
use super::{Access, EVERY_ACCESS, Kind, Pattern, Rule, Verdict};

/// A rule takes at most five instructions and a jump reaches over 32767: so many stay within its reach.
const MOST_RULES: usize = 4096;

/// BPF_DEVCG_DEV_BLOCK and BPF_DEVCG_DEV_CHAR of linux/bpf.h.
const fn kind_number(kind: Kind) -> u32 {
    match kind {
        Kind::Block => 1,
        Kind::Char => 2,
    }
}

const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// More rules than a program can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rules} device rules are more than the {MOST_RULES} that one program can hold")]
pub struct TooManyRules {
    pub rules: usize,
}

/// Compiles `rules` (`devices::rules`): `decide` in machine code.
pub fn compile(rules: &[Rule]) -> Result<Program, TooManyRules> {
    if rules.len() > MOST_RULES {
        return Err(TooManyRules { rules: rules.len() });
    }
    let rules = simplify(rules);
    let mut body = Assembler::default();
    let mut open = EVERY_ACCESS;
    for run in rules.chunk_by(|one, next| one.verdict == next.verdict).rev() {
        open = body.run(run, open);
        if open == 0 {
            break;
        }
    }
    Ok(body.finish(open))
}

/// Where a jump leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Allow,
    Deny,
    /// A place in the body, by number.
    Here(usize),
}

/// The body of a program whose jumps are not resolved yet.
#[derive(Default)]
struct Assembler {
    insns: Vec<Insn>,
    jumps: Vec<(usize, Label)>,
    /// The position of each `Label::Here` that is placed.
    places: Vec<usize>,
    /// What `finish` has to answer when the body is left at its end.
    at_end: Option<Verdict>,
}

impl Assembler {
    /// Emits rules of one verdict; gives the accesses that can still be undecided behind them.
    fn run(&mut self, run: &[Rule], open: Access) -> Access {
        let verdict = run[0].verdict;
        let (all, mut some): (Vec<Rule>, Vec<Rule>) =
            run.iter().partition(|rule| rule.pattern == Pattern::ALL);
        let mut open = open;
        for rule in all {
            if open & !rule.access == 0 {
                self.at_end = Some(verdict);
                return 0;
            }
            self.matched(verdict, rule.access, open);
            open &= !rule.access;
        }
        some.sort_by_key(|rule| {
            (rule.pattern.kind, rule.pattern.major, !rule.access & open, rule.pattern.minor)
        });
        for group in some.chunk_by(|one, next| one.pattern.kind == next.pattern.kind) {
            let next_kind = self.new_label();
            if let Some(kind) = group[0].pattern.kind {
                self.jump(JNE, KIND, kind_number(kind), next_kind);
            }
            for group in group.chunk_by(|one, next| one.pattern.major == next.pattern.major) {
                self.group(group, open);
            }
            self.place(next_kind);
        }
        open
    }

    /// Rules of one verdict, kind and major number.
    fn group(&mut self, group: &[Rule], open: Access) {
        let next_major = self.new_label();
        match (group, group[0].pattern) {
            // One rule for all minor numbers that decides all that is open: one comparison is enough.
            ([rule], Pattern { major: Some(major), minor: None, .. }) if open & !rule.access == 0 => {
                return self.jump(JEQ, MAJOR, major, answer(rule.verdict));
            }
            (_, Pattern { major: Some(major), .. }) => self.jump(JNE, MAJOR, major, next_major),
            _ => {}
        }
        for rule in group {
            let next = self.new_label();
            match rule.pattern.minor {
                // The rule decides all that is open: jump to the answer at once.
                Some(minor) if open & !rule.access == 0 => {
                    self.jump(JEQ, MINOR, minor, answer(rule.verdict));
                }
                Some(minor) => {
                    self.jump(JNE, MINOR, minor, next);
                    self.matched(rule.verdict, rule.access, open);
                }
                None => self.matched(rule.verdict, rule.access, open),
            }
            self.place(next);
        }
        self.place(next_major);
    }

    /// The device is covered by a rule with these accesses.
    fn matched(&mut self, verdict: Verdict, access: Access, open: Access) {
        let access = access & open;
        if access == open {
            self.jump(JA, 0, 0, answer(verdict));
        } else if verdict == Verdict::Deny {
            self.jump(JSET, ACCESS, u32::from(access), Label::Deny);
        } else {
            let rest = i32::from(EVERY_ACCESS & !access);
            self.insns.push(Insn { code: AND, dst: ACCESS, src: 0, off: 0, imm: rest });
            self.jump(JEQ, ACCESS, 0, Label::Allow);
        }
    }

    fn jump(&mut self, code: u8, register: u8, number: u32, to: Label) {
        self.jumps.push((self.insns.len(), to));
        self.insns.push(Insn { code, dst: register, src: 0, off: 0, imm: number.cast_signed() });
    }

    fn new_label(&mut self) -> Label {
        self.places.push(usize::MAX);
        Label::Here(self.places.len() - 1)
    }

    fn place(&mut self, label: Label) {
        if let Label::Here(number) = label {
            self.places[number] = self.insns.len();
        }
    }

    /// Adds the loads before and the answers behind the body, and resolves the jumps.
    fn finish(mut self, open: Access) -> Program {
        let last = if open == 0 { self.at_end.unwrap_or(Verdict::Deny) } else { Verdict::Deny };
        // The answer that the body runs into comes first, the other one only if something jumps to it.
        let other = if last == Verdict::Deny { Verdict::Allow } else { Verdict::Deny };
        let mut ends = vec![(answer(last), self.insns.len())];
        self.insns.extend(exit_with(last));
        if self.jumps.iter().any(|(_, to)| *to == answer(other)) {
            ends.push((answer(other), self.insns.len()));
            self.insns.extend(exit_with(other));
        }
        let mut program = loads(&self.insns);
        for (at, to) in &self.jumps {
            let target = match to {
                Label::Here(number) => self.places[*number],
                end => ends.iter().find(|(label, _)| label == end).map_or(*at, |(_, place)| *place),
            };
            // Every jump goes forwards, and MOST_RULES keeps the distance small.
            self.insns[*at].off = (target - at - 1) as i16;
        }
        program.append(&mut self.insns);
        Program(program)
    }
}

fn answer(verdict: Verdict) -> Label {
    match verdict {
        Verdict::Allow => Label::Allow,
        Verdict::Deny => Label::Deny,
    }
}

fn exit_with(verdict: Verdict) -> [Insn; 2] {
    let imm = i32::from(verdict == Verdict::Allow);
    [Insn { code: MOV, dst: 0, src: 0, off: 0, imm }, Insn { code: EXIT, dst: 0, src: 0, off: 0, imm: 0 }]
}

/// Fills the registers that the body compares, and only those.
fn loads(body: &[Insn]) -> Vec<Insn> {
    let is_used = |register| body.iter().any(|insn| insn.dst == register);
    let word = |dst, off| Insn { code: LOAD, dst, src: CONTEXT, off, imm: 0 };
    let mut list = Vec::new();
    if is_used(KIND) {
        list.push(word(KIND, 0));
        list.push(Insn { code: AND, dst: KIND, src: 0, off: 0, imm: 0xffff });
    }
    if is_used(ACCESS) {
        list.push(word(ACCESS, 0));
        list.push(Insn { code: SHIFT, dst: ACCESS, src: 0, off: 0, imm: 16 });
    }
    if is_used(MAJOR) {
        list.push(word(MAJOR, 4));
    }
    if is_used(MINOR) {
        list.push(word(MINOR, 8));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::tests::parsed;
    use super::super::{BUILT_IN, MKNOD, READ, Request, WRITE, decide, rules};
    use super::*;
    use proptest::prelude::*;

    /// Runs a program in an interpreter that is not ours.
    fn run(program: &Program, requests: &[Request]) -> Vec<Verdict> {
        let bytes = program.bytes();
        let machine = rbpf::EbpfVmRaw::new(Some(&bytes)).expect("a well-formed program");
        let answer = |request: &Request| {
            let access_type = u32::from(request.access) << 16 | kind_number(request.kind);
            let words = [access_type, request.major, request.minor];
            let mut context: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
            match machine.execute_program(&mut context).expect("a program that ends") {
                0 => Verdict::Deny,
                1 => Verdict::Allow,
                other => panic!("the kernel refuses the answer {other}"),
            }
        };
        requests.iter().map(answer).collect()
    }

    fn compiled(json: &str) -> Program {
        compile(&rules(&parsed(json))).expect("a short program")
    }

    #[test]
    fn the_plain_cases_are_two_instructions() {
        assert_eq!(compile(&[]).expect("deny all").listing(), "  0: w0 = 0\n  1: exit\n");
        let all = compiled(r#"[{"allow": true, "access": "rwm"}]"#);
        assert_eq!(all.listing(), "  0: w0 = 1\n  1: exit\n");
    }

    #[test]
    fn the_usual_container_needs_a_short_chain() {
        let program = compiled(r#"[{"allow": false, "access": "rwm"}]"#);
        let expected = "  \
  0: r2 = *(u32 *)(r1 + 0)
  1: w2 &= 0xffff
  2: r3 = *(u32 *)(r1 + 0)
  3: w3 >>= 16
  4: r4 = *(u32 *)(r1 + 4)
  5: r5 = *(u32 *)(r1 + 8)
  6: w3 &= 0x6
  7: if w3 == 0 goto 23
  8: if w2 != 2 goto 21
  9: if w4 != 1 goto 15
 10: if w5 == 3 goto 23
 11: if w5 == 5 goto 23
 12: if w5 == 7 goto 23
 13: if w5 == 8 goto 23
 14: if w5 == 9 goto 23
 15: if w4 != 5 goto 18
 16: if w5 == 0 goto 23
 17: if w5 == 2 goto 23
 18: if w4 != 10 goto 20
 19: if w5 == 200 goto 23
 20: if w4 == 136 goto 23
 21: w0 = 0
 22: exit
 23: w0 = 1
 24: exit
";
        assert_eq!(program.listing(), expected);
    }

    /// The costliest list: no two rules in a row have one verdict, kind or number in common.
    fn worst_case(count: usize) -> Vec<Rule> {
        let rule = |index: usize| Rule {
            verdict: if index.is_multiple_of(2) { Verdict::Allow } else { Verdict::Deny },
            pattern: Pattern {
                kind: Some(Kind::Char),
                major: (index % 2 == 1).then_some(7),
                minor: Some(index as u32 / 2),
            },
            access: if index.is_multiple_of(2) { READ | WRITE } else { WRITE },
        };
        (0..count).map(rule).collect()
    }

    #[test]
    fn a_list_beyond_the_reach_of_a_jump_is_refused() {
        let error = compile(&worst_case(MOST_RULES + 1)).map(|program| program.insns().len());
        assert_eq!(error, Err(TooManyRules { rules: MOST_RULES + 1 }));
    }

    #[test]
    fn the_longest_list_fits_with_room_to_spare() {
        let program = compile(&worst_case(1024)).expect("few enough rules");
        let per_rule = program.insns().len() as f64 / 1024.0;
        assert!(per_rule > 4.0, "a list this bad keeps its rules: {per_rule}");
        assert!((per_rule * MOST_RULES as f64) < f64::from(i16::MAX), "{per_rule}");
    }

    #[test]
    fn numbers_above_the_signed_range_are_compared_whole() {
        let pattern = Pattern { kind: Some(Kind::Char), major: Some(u32::MAX), minor: Some(0x8000_0000) };
        let program =
            compile(&[Rule { verdict: Verdict::Allow, pattern, access: READ }]).expect("a short program");
        let meant = Request { kind: Kind::Char, major: u32::MAX, minor: 0x8000_0000, access: READ };
        let other = Request { minor: 0, ..meant };
        assert_eq!(run(&program, &[meant, other]), [Verdict::Allow, Verdict::Deny]);
    }

    /// Few different numbers, so that random rules and requests meet.
    fn patterns() -> impl Strategy<Value = Pattern> {
        let kind = prop::option::of(prop_oneof![Just(Kind::Block), Just(Kind::Char)]);
        let number = || prop::option::of(prop_oneof![0_u32..3, Just(136), Just(u32::MAX)]);
        (kind, number(), number()).prop_map(|(kind, major, minor)| Pattern { kind, major, minor })
    }

    fn rule_lists() -> impl Strategy<Value = Vec<Rule>> {
        let verdict = prop_oneof![Just(Verdict::Allow), Just(Verdict::Deny)];
        let rule = (verdict, patterns(), 1..=EVERY_ACCESS);
        let rule = rule.prop_map(|(verdict, pattern, access)| Rule { verdict, pattern, access });
        (prop::collection::vec(rule, 0..12), any::<bool>()).prop_map(|(mut list, with_built_in)| {
            if with_built_in {
                list.extend(BUILT_IN);
            }
            list
        })
    }

    /// Every request that can meet the numbers above, and a few that meet none.
    fn requests() -> Vec<Request> {
        let numbers = [0, 1, 2, 3, 5, 136, 200, u32::MAX];
        let mut list = Vec::new();
        for kind in [Kind::Block, Kind::Char] {
            for major in numbers {
                for minor in numbers {
                    for access in 1..=EVERY_ACCESS {
                        list.push(Request { kind, major, minor, access });
                    }
                }
            }
        }
        list
    }

    proptest! {
        #[test]
        fn a_simplified_list_means_the_same(list in rule_lists()) {
            let short = simplify(&list);
            prop_assert!(short.len() <= list.len());
            for request in requests() {
                prop_assert_eq!(decide(&short, &request), decide(&list, &request), "{:?}", request);
            }
        }

        #[test]
        fn a_program_answers_as_the_rules_do(list in rule_lists()) {
            let program = compile(&list).expect("a short program");
            prop_assert!(everything_is_reachable(&program), "{}", program.listing());
            let requests = requests();
            for (request, answer) in requests.iter().zip(run(&program, &requests)) {
                prop_assert_eq!(answer, decide(&list, request), "{:?}", request);
            }
        }
    }

    /// The kernel's verifier refuses a program with an instruction that nothing leads to.
    fn everything_is_reachable(program: &Program) -> bool {
        let insns = program.insns();
        let mut reached = vec![false; insns.len()];
        reached[0] = true;
        for (at, insn) in insns.iter().enumerate().filter(|(_, insn)| insn.code != EXIT) {
            let target = (at as i64 + 1 + i64::from(insn.off)) as usize;
            let jumps = [JA, JEQ, JNE, JSET].contains(&insn.code);
            if reached[at] && jumps {
                reached[target] = true;
            }
            if reached[at] && insn.code != JA {
                reached[at + 1] = true;
            }
        }
        reached.into_iter().all(|reached| reached)
    }

    #[test]
    fn a_program_for_all_accesses_of_a_disk_and_its_exception() {
        let program = compiled(
            r#"[{"allow": false, "access": "rwm"},
                {"allow": true, "type": "b", "major": 8, "access": "rw"},
                {"allow": false, "type": "b", "major": 8, "minor": 1, "access": "w"}]"#,
        );
        let request = |minor, access| Request { kind: Kind::Block, major: 8, minor, access };
        let asked = [request(0, READ | WRITE), request(1, READ | MKNOD), request(1, READ | WRITE)];
        assert_eq!(run(&program, &asked), [Verdict::Allow, Verdict::Allow, Verdict::Deny]);
    }
}
