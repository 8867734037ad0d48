package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// services are those that the account is about.
var services = []string{target.Frontend, target.Backend}

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
		bad := j.fullDisk(FullAlloy, j.split(service, "lines", s.NoLine), "lines of the "+service)
		b.Promised += len(s.NoLine) - len(bad)
		complaints = append(complaints, j.list(bad, "requests have no line of the "+service), j.list(j.sentAgain(j.waited(s.TwoLines), "lines of %d requests", target.Loki), "requests have two lines of the "+service))
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
		spans := "server spans of the " + service
		bad := j.unwritten(j.split(service, "server spans", s.NoSpan), spans)
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
	torn = j.unwritten(torn, "spans within a trace")
	b.Promised += all - len(torn)
	b.Lost += all - len(torn)
	b.Wrong, b.Doubled = len(torn), len(j.b.Account.Doubled)
	complaints = append(complaints, j.list(torn, "traces are not joined"), j.list(j.sentAgain(j.b.Account.Doubled, "spans of %d traces", target.Alloy, target.Tempo), "traces have a span twice"), j.problem("traces"))
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
