package chaos

import (
	"fmt"
	"slices"
	"strings"
)

//go:generate go run ./generate

// Page is docs/promises.md: each promise with the scenarios that test it, what each scenario
// does, and what the scenarios last measured.
func Page(figures []Figure) string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("| promise | | tested by |\n|---|---|---|\n")
	for _, p := range Promises() {
		fmt.Fprintf(&b, "| %s, %s | %s | %s |\n", p.ID, p.Title, p.Text, strings.Join(testers(p.ID), ", "))
	}
	b.WriteString("\n## The scenarios\n\n| scenario | what is done | promises |\n|---|---|---|\n")
	for _, s := range All() {
		about := s.About
		if s.OwnLab {
			about += "; only on a lab of its own (`--up`)"
		}
		if s.Targets != nil {
			about += "; target " + strings.Join(s.Targets, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, about, strings.Join(s.Promises, " "))
	}
	writeFigures(&b, figures)
	b.WriteString(pageEnd)
	return b.String()
}

// testers are the scenarios that test a promise; all of them when there is no other.
func testers(id string) []string {
	var names []string
	for _, s := range All() {
		if slices.Contains(s.Promises, id) {
			names = append(names, "`"+s.Name+"`")
		}
	}
	if len(names) == len(All()) {
		return []string{"every scenario"}
	}
	const most = 12
	if len(names) > most {
		return append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return names
}

const pageHead = `<!-- Written by go generate ./ci/internal/chaos. -->
# What the lab promises in foul weather

` + "`lab chaos`" + ` does harm to a lab under steady traffic, one scenario after another. The trace id of
every request is known, and so is the user that it creates or deletes. After each scenario the account
is taken: what of the acknowledged requests has survived, and what telemetry was lost or stored twice.
A broken promise makes the command fail.

    go run ./ci/lab chaos --list              # the scenarios
    go run ./ci/lab chaos kill-tempo          # one of them, on the lab that is up
    go run ./ci/lab chaos 'kill-*' --up       # several, on a lab of its own
    go run ./ci/lab chaos --up --alerts kill-loki   # waits until the alert fires and is over

What was ended is started again, and what is frozen is thawed, also after Ctrl-C.

`

// pageEnd says why some losses are bounded and not mended.
const pageEnd = `
## Why a killed store may take something with it

- **Tempo** (P13) answers Alloy when it has a span in its memory. It writes the span to its log when
  the trace was idle for a second (trace_idle_period) and it looks, each second
  (flush_check_period). Each writing is a file of its own, which a search opens: ten times as many files
  for a tenth of the loss would cost every search. Alloy has forgotten the span by then. No setting of
  Tempo's makes it write before it answers.
- **Loki and Mimir** write each batch to their log before they answer. kill -9 takes nothing: what was
  given to the operating system stays. A machine that loses its power may lose what the system had not
  yet written to the disk: Loki's and Mimir's logs are not flushed for each batch. ` + "`power-loss`" + ` kills
  processes, not the machine, and does not show that.
- **Tempo with a full disk** (P23) keeps the error of a write that failed, in the writer of the block
  that it is about to fill: each later write fails, too. It does not say so to Alloy, and counts nothing;
  it answers searches without what it lacks. No setting changes that. StoreWritesFailing fires, by the
  span metrics that Tempo cannot write and then by the blocks that it does not finish.
- **Alloy with a full disk** (P24) marks each batch in its queue as handed on before it sends it. Where
  that mark cannot be written it drops the batch, and counts nothing (persistent_queue.go of the
  OpenTelemetry Collector, getNextItem). What it refuses meanwhile is counted, and sent again.
- **Loki, Mimir and the backend with a full disk** (P22) lose nothing: Loki refuses lines from nine
  tenths on, Mimir when it cannot write to its log, and Alloy keeps what they refuse.
- **Alloy with --sample-traces** keeps the spans of a trace in its memory for 10 s, until it decides
  ([sampling](sampling.md)). A kill takes them. No scenario shows that: all run on labs that keep every
  trace.

## Whose clock steps

` + "`clock-steps`" + ` (P25) sets the clock of a sender, and not that of the lab's own machine. Linux's time
namespaces have a clock of their own for the time since the start, and none for the time of day; libfaketime
stands between a program and the C library, which Go's programs do not ask for the time (measured: date(1) is
an hour ahead under it, a Go program is not); and what sets the machine's own clock sets it for all that runs
there. To the stores, a sender's clock is what a stepped clock on another machine looks like.
`
