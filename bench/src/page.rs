//! The report's contents: what was measured, how, and how it compares.

use crate::bench::{Amounts, Bench};
use crate::bundle::Flavour;
use crate::contestant::{FLOOR, Step};
use crate::experiments::growth::Growth;
use crate::experiments::life::Times;
use crate::experiments::memory::{Parked, Used};
use crate::experiments::run::Runs;
use crate::experiments::steps::StepTime;
use crate::experiments::system_calls::{COUNTED, Calls};
use crate::experiments::throughput::Rates;
use crate::experiments::{Named, median_of};
use crate::goals::{self, ratio};
use crate::machine::Machine;
use crate::options::Effort;
use crate::report::{Block, Table};

/// Whom everybody is compared with.
const PEERS: [&str; 3] = ["crun", "runc", FLOOR];
/// The same for single commands, which the floor does not have.
const RUNTIMES: [&str; 2] = ["crun", "runc"];

/// The figures of one run of the benchmark.
pub struct Results {
    pub runs: Vec<Runs>,
    /// Empty without a floor.
    pub steps: Vec<StepTime>,
    pub lives: Vec<Times>,
    pub filtered_lives: Vec<Times>,
    pub used: Vec<Used>,
    pub parked: Vec<Parked>,
    /// None without strace.
    pub calls: Option<Vec<Calls>>,
    pub rates: Vec<Rates>,
    pub growth: Vec<Growth>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

/// The whole report.
pub fn compose(
    bench: &Bench,
    machine: &Machine,
    compiler: &str,
    effort: Effort,
    results: &Results,
) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Machine and contestants".into())];
    if effort == Effort::Quick {
        blocks.push(Block::Text(
            "A quick run: it shows that everything works; its figures mean little.".into(),
        ));
    }
    blocks.push(Block::Table(machine_table(bench, machine, compiler)));
    blocks.push(Block::Heading("Goals".into()));
    blocks.push(Block::Table(goal_table(results)));
    blocks.extend(left_out(results));
    blocks.extend(run_blocks(results));
    blocks.extend(life_blocks(results));
    blocks.extend(memory_blocks(results));
    blocks.extend(call_blocks(results));
    blocks.extend(rate_blocks(results));
    blocks.extend(growth_blocks(results));
    blocks.extend(step_blocks(results));
    blocks.push(Block::Heading("Method".into()));
    blocks.push(Block::List(method(bench, machine)));
    blocks
}

fn machine_table(bench: &Bench, machine: &Machine, compiler: &str) -> Table {
    let mut table = Table::new(["item", "value"]);
    let mut row = |name: &str, value: String| table.row(vec![name.to_owned(), value]);
    row("date", machine.date.clone());
    row("kernel", format!("Linux {} {}", machine.kernel, machine.architecture));
    row("distribution", machine.distribution.clone());
    row("processor", format!("{}, {} cores", machine.processor, machine.cores));
    row("memory", format!("{} MiB", machine.memory_mib));
    row("load at the beginning", machine.load.clone());
    row("scheduling", machine.scheduling.to_owned());
    row("cgroup2 controllers", machine.controllers.clone());
    for runtime in &bench.runtimes {
        row(&runtime.name, runtime.version.clone());
    }
    if bench.floor.is_some() {
        row(FLOOR, format!("bench/floor.c, built with {compiler}"));
    }
    table
}

fn goal_table(results: &Results) -> Table {
    let mut table = Table::new(["goal", "at most", "reached", "verdict"]);
    for goal in goals::all(results) {
        let limit = format!("{} {}", goal.limit, goal.unit).trim_end().to_owned();
        let digits = if goal.unit == "KiB" || goal.unit.is_empty() { 0 } else { 3 };
        table.row(vec![goal.what.to_owned(), limit, number(goal.reached, digits), goal.verdict()]);
    }
    table
}

fn left_out(results: &Results) -> Vec<Block> {
    match results.notes.is_empty() {
        true => Vec::new(),
        false => vec![Block::Heading("Left out".into()), Block::List(results.notes.clone())],
    }
}

fn run_blocks(results: &Results) -> Vec<Block> {
    let mut blocks = Vec::new();
    for runs in &results.runs {
        blocks.push(Block::Heading(format!("`run` of /bin/true, {}, ms", runs.flavour.title())));
        let mut table =
            Table::new(["contestant", "median", "p95", "min", "x crun", "x runc", "x floor", "failed"]);
        runs.times
            .iter()
            .for_each(|named| table.row(time_row(vec![named.name.clone()], named, &runs.times, &PEERS)));
        blocks.push(Block::Table(table));
        blocks.extend(failures(&runs.times));
        if runs.flavour != Flavour::Plain {
            blocks.push(Block::Text(added(runs, &results.runs)));
        }
    }
    blocks
}

/// Median, p95, minimum, the ratios to the peers, and how often it failed.
fn time_row(mut cells: Vec<String>, named: &Named, all: &[Named], peers: &[&str]) -> Vec<String> {
    let summary = named.series.summary();
    cells.push(number(summary.map(|summary| summary.median), 2));
    cells.push(number(summary.map(|summary| summary.p95), 2));
    cells.push(number(summary.map(|summary| summary.min), 2));
    for peer in peers {
        cells.push(number(ratio(named.series.median(), median_of(all, peer)), 2));
    }
    cells.push(named.series.failures().map_or("0".to_owned(), |(count, _)| count.to_string()));
    cells
}

fn failures(times: &[Named]) -> Option<Block> {
    let said = |named: &Named| {
        let (count, reason) = named.series.failures()?;
        Some(format!("{} failed {count} times, the last time: {reason}", named.name))
    };
    let all: Vec<String> = times.iter().filter_map(said).collect();
    (!all.is_empty()).then_some(Block::List(all))
}

/// What a flavour adds to the plain run, for each contestant.
fn added(runs: &Runs, all: &[Runs]) -> String {
    let plain = all.iter().find(|runs| runs.flavour == Flavour::Plain);
    let one = |named: &Named| {
        let without = median_of(&plain?.times, &named.name)?;
        Some(format!("{} {:+.2} ms", named.name, named.series.median()? - without))
    };
    let differences: Vec<String> = runs.times.iter().filter_map(one).collect();
    format!("Added to the plain run (difference of the medians): {}.", differences.join(", "))
}

fn life_blocks(results: &Results) -> Vec<Block> {
    let mut blocks = Vec::new();
    let parts = [
        ("One command at a time, ms", &results.lives, &Step::ALL[..]),
        (
            "The same with seccomp, where it matters, ms",
            &results.filtered_lives,
            &[Step::Create, Step::Exec][..],
        ),
    ];
    for (title, lives, steps) in parts {
        let mut table =
            Table::new(["command", "runtime", "median", "p95", "min", "x crun", "x runc", "failed"]);
        let shown = |times: &&Times| steps.contains(&times.step);
        for times in lives.iter().filter(shown) {
            for named in times.times.iter().filter(|named| named.series.summary().is_some()) {
                let cells = vec![times.step.word().to_owned(), named.name.clone()];
                table.row(time_row(cells, named, &times.times, &RUNTIMES));
            }
        }
        blocks.push(Block::Heading(title.into()));
        blocks.push(Block::Table(table));
        blocks.extend(lives.iter().filter(shown).filter_map(|times| failures(&times.times)));
    }
    blocks
}

fn memory_blocks(results: &Results) -> Vec<Block> {
    let head = [
        "contestant",
        "run: peak KiB",
        "run: page faults",
        "run: CPU ms",
        "create: peak KiB",
        "create: page faults",
        "create: CPU ms",
        "state: peak KiB",
        "state: page faults",
        "state: CPU ms",
    ];
    let mut table = Table::new(head);
    for used in &results.used {
        let mut cells = vec![used.name.clone()];
        for usage in [used.run, used.create, used.state] {
            cells.push(number(usage.map(|usage| usage.peak_kib), 0));
            cells.push(number(usage.map(|usage| usage.page_faults), 0));
            cells.push(number(usage.map(|usage| usage.cpu_ms), 1));
        }
        table.row(cells);
    }
    let mut parked = Table::new([
        "runtime",
        "Pss KiB",
        "Rss KiB",
        "page tables KiB",
        "cgroup KiB",
        "other processes",
        "after run --detach",
    ]);
    for one in &results.parked {
        let sizes = [one.pss, one.rss, one.page_tables, one.cgroup].map(|size| number(size, 0));
        let counts =
            [one.others_created, one.others_detached].map(|count| number(count.map(|n| n as f64), 0));
        parked.row([one.name.clone()].into_iter().chain(sizes).chain(counts).collect());
    }
    vec![
        Block::Heading("What a command uses".into()),
        Block::Table(table),
        Block::Heading("A created container waiting for `start`".into()),
        Block::Table(parked),
    ]
}

fn call_blocks(results: &Results) -> Vec<Block> {
    let heading = Block::Heading("System calls (strace -f -c)".into());
    let Some(calls) = &results.calls else {
        return vec![
            heading,
            Block::Text("Not counted: strace is not installed, or nothing could be compiled.".into()),
        ];
    };
    let mut table = Table::new(["contestant", "run"].into_iter().chain(COUNTED.map(Step::word)));
    for one in calls {
        let counts = [one.run].into_iter().chain(one.steps.iter().copied());
        let counts = counts.map(|count| number(count.map(|count| count as f64), 0));
        table.row([one.name.clone()].into_iter().chain(counts).collect());
    }
    vec![heading, Block::Table(table)]
}

fn rate_blocks(results: &Results) -> Vec<Block> {
    let launchers = |rates: &Rates| match rates.launchers {
        1 => "1 launcher".to_owned(),
        many => format!("{many} launchers"),
    };
    let mut table =
        Table::new(["contestant".to_owned()].into_iter().chain(results.rates.iter().map(launchers)));
    let names = results.rates.first().map(|rates| &rates.rates[..]).unwrap_or_default();
    for name in names.iter().map(|named| &named.name) {
        let figures = results.rates.iter().map(|rates| number(median_of(&rates.rates, name), 0));
        table.row([name.clone()].into_iter().chain(figures).collect());
    }
    let mut blocks = vec![Block::Heading("Containers per second".into()), Block::Table(table)];
    blocks.extend(results.rates.iter().filter_map(|rates| failures(&rates.rates)));
    blocks
}

fn growth_blocks(results: &Results) -> Vec<Block> {
    let mut table =
        Table::new(["runtime", "existing", "run", "run, p95", "state", "list", "floor run", "run x floor"]);
    for growth in &results.growth {
        let summary = growth.run.summary();
        table.row(vec![
            growth.name.clone(),
            growth.population.to_string(),
            number(summary.map(|summary| summary.median), 2),
            number(summary.map(|summary| summary.p95), 2),
            number(growth.state.median(), 2),
            number(growth.list.median(), 2),
            number(growth.floor.median(), 2),
            number(ratio(growth.run.median(), growth.floor.median()), 2),
        ]);
    }
    vec![Block::Heading("While other containers exist, ms".into()), Block::Table(table)]
}

fn step_blocks(results: &Results) -> Vec<Block> {
    if results.steps.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["step of the floor", "median", "p95"]);
    for step in &results.steps {
        table.row(vec![step.name.clone(), number(Some(step.median), 1), number(Some(step.p95), 1)]);
    }
    vec![Block::Heading("Where the kernel's time goes, microseconds".into()), Block::Table(table)]
}

fn method(bench: &Bench, machine: &Machine) -> Vec<String> {
    let Amounts { runs, lives, launched, launch_rounds, .. } = bench.amounts;
    let origin = bench.bundles.seccomp_origin();
    let varying = [
        format!("Rounds: {runs} of `run`, {lives} of the single commands, each after a warm-up."),
        format!(
            "Containers per second: {launched} shared by the launchers, the middle of {launch_rounds} times."
        ),
        format!("Scheduling: {}. Containers inherit it.", machine.scheduling),
        format!("Seccomp: {origin}. The floor loads the filter that crun compiled from it."),
    ];
    METHOD.iter().map(|line| line.to_string()).chain(varying).collect()
}

const METHOD: [&str; 6] = [
    "Only figures of the same run can be compared. The contestants take turns in changing order, each order \
     forwards and backwards.",
    "A time is the whole life of the command's process as its caller sees it, from spawn to wait.",
    "Container: busybox, the mounts, masks, rights and namespaces of `runc spec` plus a cgroup namespace; no \
     terminal and no resource limits. State, bundles and root filesystem are on a tmpfs.",
    "The floor makes the same container with nothing but the system calls it takes; no config, no state, no \
     checks. Its source says which.",
    "cgroups: the version 2 hierarchy. Where the machine mounts version 1, a private mount namespace shows \
     version 2 alone.",
    "Peak memory is the resident set of the largest process of the command (wait4); the kernel counts it in \
     batches, so small values are good to about 100 KiB. For `run` the container's busybox counts too.",
];

/// A figure with so many digits, or a dash where there is none.
fn number(figure: Option<f64>, digits: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
}
