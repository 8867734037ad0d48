package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// judge fills in the outcome from what was observed: the balances, and a verdict for each
// of the scenario's promises.
func (o *Outcome) judge(s Scenario, awaited bool, b Observation) {
	j := judgement{o: o, b: b, alert: s.Alert, fresh: s.freshWithin(), awaited: awaited, byN: map[int]traffic.Answer{}, verdicts: map[string]Verdict{}, excused: map[string][]string{}}
	for _, a := range b.Answers {
		j.byN[a.N] = a
	}
	j.requests()
	j.users()
	j.lines()
	j.traces()
	j.counters()
	j.exemplars()
	j.freshness()
	j.alerts()
	j.bounded()
	for _, id := range s.Promises {
		if v, ok := j.verdicts[id]; ok {
			o.Verdicts = append(o.Verdicts, v)
		}
	}
}

// judgement is the making of an [Outcome].
type judgement struct {
	o        *Outcome
	b        Observation
	alert    string
	fresh    time.Duration // within which each signal must be fresh again
	awaited  bool          // the alert was waited for
	byN      map[int]traffic.Answer
	verdicts map[string]Verdict
	// excused are the losses that a promise allows, by the promise.
	excused map[string][]string
	dead    map[int]bool // requests whose trace may be missing
}

// say gives the verdict on a promise: it is kept without a complaint.
func (j *judgement) say(id, measured string, complaints ...string) {
	v := Verdict{Promise: id, Title: byID(id).Title, Outcome: Kept, Measured: measured}
	complaints = slices.DeleteFunc(complaints, func(c string) bool { return c == "" })
	if len(complaints) > 0 {
		v.Outcome, v.Detail = Broken, strings.Join(complaints, "\n")
	}
	j.verdicts[id] = v
}

// problem finds the part of the account that could not be made.
func (j *judgement) problem(what string) string {
	for _, p := range j.b.Account.Problems {
		if strings.HasPrefix(p, what+":") {
			return "the account could not be made: " + p
		}
	}
	return ""
}

func (j *judgement) requests() {
	r := RequestCounts{Sent: len(j.b.Answers)}
	var bad []int
	for _, a := range j.b.Answers {
		switch {
		case a.OK():
			r.Acknowledged++
			continue
		case a.Status == 0:
			r.Unanswered++
		default:
			r.Refused++
		}
		bad = append(bad, a.N)
	}
	j.o.Requests = r
	j.say(Unnoticed, fmt.Sprintf("%d of %d answered as usual", r.Acknowledged, r.Sent), j.list(bad, "requests were not answered as usual"))
}

// list says how many requests something befell, and shows the first three; "" of none.
func (j *judgement) list(numbers []int, what string) string {
	if len(numbers) == 0 {
		return ""
	}
	var some []string
	for _, n := range numbers[:min(3, len(numbers))] {
		a := j.byN[n]
		text := fmt.Sprintf("%s at %s (%s, trace %s)", a.Kind, a.Sent.Format("15:04:05.000"), answerText(a), a.TraceID)
		some = append(some, text)
	}
	return fmt.Sprintf("%d %s, for example %s", len(numbers), what, strings.Join(some, "; "))
}

func answerText(a traffic.Answer) string {
	switch {
	case a.Status == 0:
		return "no answer: " + a.Error
	case a.Wrong != "":
		return a.Wrong
	}
	return "answered " + strconv.Itoa(a.Status)
}
