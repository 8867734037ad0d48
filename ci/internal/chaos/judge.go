package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// judge fills in the outcome from what was observed: the balances, and a verdict for each
// of the scenario's promises.
func (o *Outcome) judge(s Scenario, awaited bool, b Observation) {
	j := judgement{o: o, b: b, alert: s.Alert, awaited: awaited, byN: map[int]traffic.Answer{}, verdicts: map[string]Verdict{}, excused: map[string][]string{}}
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
	awaited  bool // the alert was waited for
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

// users compares the users that exist with the answers.
func (j *judgement) users() {
	exist := map[int64]traffic.User{}
	emails := map[string]int{}
	for _, u := range j.b.Users {
		exist[u.ID] = u
		emails[u.Email]++
	}
	deleted := map[int64]string{} // "yes", or "perhaps"
	for _, a := range j.b.Answers {
		if a.Kind != traffic.Delete || a.UserID == 0 {
			continue
		}
		if a.Status == 204 || a.Status == 404 {
			deleted[a.UserID] = "yes"
		} else if deleted[a.UserID] == "" {
			deleted[a.UserID] = "perhaps"
		}
	}
	var lost, revived, wrong []int
	due := 0
	for _, a := range j.b.Answers {
		if a.Kind != traffic.Create || a.Status != 201 || a.UserID == 0 {
			continue
		}
		u, there := exist[a.UserID]
		switch {
		case deleted[a.UserID] == "yes" && there:
			revived = append(revived, a.N)
		case deleted[a.UserID] != "":
		case !there:
			due++
			lost = append(lost, a.N)
		default:
			due++
			if u.Email != traffic.Email(j.b.TracePrefix, a.N) || u.Name != traffic.Name(a.N) {
				wrong = append(wrong, a.N)
			}
		}
	}
	twice := 0
	for _, n := range emails {
		twice += n - 1
	}
	j.o.Users = Balance{Due: due, Lost: len(lost), Doubled: twice, Wrong: len(revived) + len(wrong)}
	complaints := []string{
		j.list(lost, "creations were answered 201, and their users are not there"),
		j.list(revived, "users were deleted, and are there again"),
		j.list(wrong, "users are not what was created"),
	}
	if twice > 0 {
		complaints = append(complaints, fmt.Sprintf("%d users are there twice", twice))
	}
	if j.b.UsersProblem != "" {
		complaints = append(complaints, "the users could not be read: "+j.b.UsersProblem)
	}
	j.say(Users, fmt.Sprintf("%d users due, %d lost", due, len(lost)), complaints...)
}

// killedWith tells whether the service was killed so soon after the request that what it
// had to export went with it. bound is how long that takes.
func (j *judgement) killedWith(service string, a traffic.Answer, bound time.Duration) bool {
	for _, action := range j.o.Actions {
		if action.What == "kill" && action.Component == service && a.Ended.After(action.At.Add(-bound)) && a.Sent.Before(action.Done) {
			return true
		}
	}
	return false
}

// services are those that the account is about.
var services = []string{target.Frontend, target.Backend}

// split takes out the losses that [Unexported] allows.
func (j *judgement) split(service, what string, lost []int) (unexcused []int) {
	n := 0
	for _, number := range lost {
		if j.killedWith(service, j.byN[number], unexported) {
			n++
			continue
		}
		unexcused = append(unexcused, number)
	}
	if n > 0 {
		j.excuse(Unexported, fmt.Sprintf("%d %s of the %s", n, what, service))
	}
	return unexcused
}

func (j *judgement) lines() {
	var complaints []string
	b := &j.o.Lines
	for _, service := range services {
		s := j.b.Account.Services[service]
		if s == nil {
			continue
		}
		b.Due += s.Requests
		b.Lost += len(s.NoLine)
		b.Doubled += len(s.TwoLines)
		bad := j.split(service, "lines", s.NoLine)
		b.Promised += len(s.NoLine) - len(bad)
		complaints = append(complaints, j.list(bad, "requests have no line of the "+service), j.list(s.TwoLines, "requests have two lines of the "+service))
	}
	complaints = append(complaints, j.problem("log lines"))
	j.say(Lines, fmt.Sprintf("%d due, %d lost, %d twice", b.Due, b.Lost, b.Doubled), complaints...)
}

func (j *judgement) traces() {
	var complaints []string
	b := &j.o.Traces
	lacking := map[int]bool{}
	j.dead = map[int]bool{}
	for _, service := range services {
		s := j.b.Account.Services[service]
		if s == nil {
			continue
		}
		if service == target.Frontend {
			b.Due = s.Requests
		}
		bad := j.unflushed(j.split(service, "server spans", s.NoSpan), "server spans of the "+service)
		for _, n := range s.NoSpan {
			lacking[n] = true
			j.dead[n] = true
		}
		for _, n := range bad {
			delete(j.dead, n)
		}
		complaints = append(complaints, j.list(bad, "traces have no server span of the "+service))
	}
	b.Lost, b.Promised = len(lacking), len(j.dead)
	var torn []int
	for _, n := range slices.Sorted(maps.Keys(j.b.Account.Torn)) {
		if a := j.byN[n]; j.killedWith(target.Frontend, a, unexported) || j.killedWith(target.Backend, a, unexported) {
			b.Promised++
			b.Lost++
			j.excuse(Unexported, "a span within trace "+a.TraceID)
			continue
		}
		torn = append(torn, n)
	}
	all := len(torn)
	torn = j.unflushed(torn, "spans within a trace")
	b.Promised += all - len(torn)
	b.Lost += all - len(torn)
	b.Wrong, b.Doubled = len(torn), len(j.b.Account.Doubled)
	complaints = append(complaints, j.list(torn, "traces are not joined"), j.list(j.b.Account.Doubled, "traces have a span twice"), j.problem("traces"))
	if len(torn) > 0 {
		complaints = append(complaints, "the first of them: "+j.b.Account.Torn[torn[0]])
	}
	j.say(Traces, fmt.Sprintf("%d due, %d lost, %d twice", b.Due, b.Lost+b.Wrong, b.Doubled), complaints...)
}

func (j *judgement) counters() {
	b := &j.o.Counters
	complaints := []string{j.problem("counters")}
	var measured []string
	for _, service := range services {
		s := j.b.Account.Services[service]
		if s == nil {
			continue
		}
		due, most, counted := s.Requests+s.Before, s.Most, int(s.Counted)
		b.Due += due
		excusable := 0
		for _, a := range j.b.Answers {
			if (service == target.Frontend && a.Status != 0 || service == target.Backend && a.FromBackend()) && j.killedWith(service, a, uncounted) {
				excusable++
			}
		}
		lost := max(0, due-counted)
		b.Lost += lost
		b.Promised += min(lost, excusable)
		b.Doubled += max(0, counted-most)
		if promised := min(lost, excusable); promised > 0 {
			j.excuse(Unexported, fmt.Sprintf("%d counts of the %s", promised, service))
		}
		if lost > excusable {
			complaints = append(complaints, fmt.Sprintf("the %s has answered %d requests and counted %d", service, due, counted))
		}
		if counted > most {
			complaints = append(complaints, fmt.Sprintf("the %s can have answered %d requests and has counted %d", service, most, counted))
		}
		measured = append(measured, fmt.Sprintf("%s %d of %d", service, counted, due))
	}
	j.say(Counters, strings.Join(measured, ", "), complaints...)
}

func (j *judgement) exemplars() {
	b := &j.o.Exemplars
	b.Due, b.Lost = j.b.Account.Exemplars, len(j.b.Account.Dead)
	complaints := []string{j.problem("exemplars")}
	var bad []string
	for _, id := range j.b.Account.Dead {
		excused := false
		for n := range j.dead {
			excused = excused || j.byN[n].TraceID == id
		}
		if excused {
			b.Promised++
			continue
		}
		bad = append(bad, id)
	}
	if len(bad) > 0 {
		complaints = append(complaints, fmt.Sprintf("%d exemplars lead to no trace, for example %s", len(bad), strings.Join(bad[:min(3, len(bad))], ", ")))
	}
	if b.Due == 0 {
		complaints = append(complaints, "Mimir has no exemplar of any request")
	}
	j.say(Exemplars, fmt.Sprintf("%d exemplars, %d lead nowhere", b.Due, b.Lost), complaints...)
}

func (j *judgement) freshness() {
	j.o.FreshAgain = map[string]float64{}
	var measured, complaints []string
	for _, signal := range signals {
		at, ok := freshAgain(j.b.Freshness[signal], j.o.Healed)
		if !ok {
			measured = append(measured, signal+" never")
			complaints = append(complaints, fmt.Sprintf("%s: nothing from after the end of the harm was found while the traffic ran", signal))
			continue
		}
		j.o.FreshAgain[signal] = at.Seconds()
		measured = append(measured, fmt.Sprintf("%s %.0f s", signal, at.Seconds()))
		if at > fresh {
			complaints = append(complaints, fmt.Sprintf("%s: fresh after %.0f s", signal, at.Seconds()))
		}
	}
	j.say(Freshness, strings.Join(measured, ", "), complaints...)
}

// freshAgain is how long after a time a signal had a datum from after it.
func freshAgain(steps []Fresh, since time.Time) (time.Duration, bool) {
	for _, step := range steps {
		if !step.Data.Before(since) {
			return step.At.Sub(since), true
		}
	}
	return 0, false
}

func (j *judgement) alerts() {
	j.o.Alerts = j.b.Alerts
	if j.alert == "" {
		return
	}
	v := Verdict{Promise: Alerts, Title: byID(Alerts).Title, Outcome: NotTested, Measured: j.alert + " did not fire", Detail: "not awaited: the harm may be over sooner than the alert waits"}
	for _, a := range j.b.Alerts {
		switch {
		case a.Name != j.alert:
		case a.Resolved.IsZero():
			v.Measured, v.Detail = j.alert+" fired, and still does", "that it is over was not awaited"
		default:
			v.Outcome, v.Detail = Kept, ""
			v.Measured = fmt.Sprintf("%s fired, and was over %.0f s after the end of the harm", j.alert, a.Resolved.Sub(j.o.Healed).Seconds())
		}
	}
	if j.awaited && v.Outcome == NotTested {
		v.Outcome, v.Detail = Broken, "it was awaited"
	}
	j.verdicts[Alerts] = v
}

func (j *judgement) excuse(promise, what string) {
	j.excused[promise] = append(j.excused[promise], what)
}

// unflushed takes out the losses that [Unflushed] allows.
func (j *judgement) unflushed(lost []int, what string) (unexcused []int) {
	for _, n := range lost {
		if !j.killedWith(target.Tempo, j.byN[n], unflushed) {
			unexcused = append(unexcused, n)
		}
	}
	if n := len(lost) - len(unexcused); n > 0 {
		j.excuse(Unflushed, fmt.Sprintf("%d %s", n, what))
	}
	return unexcused
}

// nothingLost is what a bounded loss measures that is none.
const nothingLost = "nothing lost"

// bounded sums up what went with a killed process. The other promises have complained of all
// beyond that.
func (j *judgement) bounded() {
	for _, id := range []string{Unexported, Unflushed} {
		measured := nothingLost
		if len(j.excused[id]) > 0 {
			measured = "lost within its bounds: " + strings.Join(j.excused[id], ", ")
		}
		j.say(id, measured)
	}
}
