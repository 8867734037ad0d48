package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

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

func (j *judgement) excuse(promise, what string) {
	j.excused[promise] = append(j.excused[promise], what)
}

// waited takes out the doubled lines that [OneTenant] allows: those that were in a batch with
// lines that Loki had no room for, from the beginning of that until it had.
func (j *judgement) waited(doubled []int) (unexcused []int) {
	for _, n := range doubled {
		a, excused := j.byN[n], false
		for _, action := range j.o.Actions {
			excused = excused || action.What == tenantLabels && a.Ended.After(action.At) && a.Sent.Before(j.o.Healed.Add(streamsFull))
		}
		if !excused {
			unexcused = append(unexcused, n)
		}
	}
	return unexcused
}

// sentAgain takes out what is doubled and [SentAgain] allows, when one of the components was
// frozen.
func (j *judgement) sentAgain(doubled []int, what string, frozen ...string) (unexcused []int) {
	for _, n := range doubled {
		if !j.underWay(j.byN[n], frozen) {
			unexcused = append(unexcused, n)
		}
	}
	if n := len(doubled) - len(unexcused); n > 0 {
		j.excuse(SentAgain, fmt.Sprintf(what, n))
	}
	return unexcused
}

// unwritten takes out the losses of spans that Tempo or Alloy may have had and not written.
func (j *judgement) unwritten(lost []int, what string) (unexcused []int) {
	return j.fullDisk(FullAlloy, j.fullDisk(FullTempo, j.unflushed(lost, what), what), what)
}

// fullDisk takes out the losses that [FullTempo] or [FullAlloy] allows: what the component had
// not written when its disk was full, and what came until it was well again.
func (j *judgement) fullDisk(promise string, lost []int, what string) (unexcused []int) {
	component := map[string]string{FullTempo: target.Tempo, FullAlloy: target.Alloy}[promise]
	for _, n := range lost {
		if !j.whileFull(component, j.byN[n]) {
			unexcused = append(unexcused, n)
		}
	}
	if n := len(lost) - len(unexcused); n > 0 {
		j.excuse(promise, fmt.Sprintf("%d %s", n, what))
	}
	return unexcused
}

func (j *judgement) whileFull(component string, a traffic.Answer) bool {
	for _, action := range j.o.Actions {
		if action.What == fillDisk && action.Component == component &&
			a.Ended.After(action.At.Add(-unflushed)) && a.Sent.Before(j.o.Ready) {
			return true
		}
	}
	return false
}

// underWay tells whether telemetry of the request may have been on its way to one of the
// components while that was frozen.
func (j *judgement) underWay(a traffic.Answer, frozen []string) bool {
	for _, action := range j.o.Actions {
		if action.What == "freeze" && slices.Contains(frozen, action.Component) &&
			a.Ended.After(action.At.Add(-unanswered)) && a.Sent.Before(j.o.Ready) {
			return true
		}
	}
	return false
}

// bounded sums up what went with a killed process. The other promises have complained of all
// beyond that.
func (j *judgement) bounded() {
	for id, what := range map[string]string{Unexported: "lost", Unflushed: "lost", FullTempo: "lost", FullAlloy: "lost", SentAgain: "stored twice"} {
		measured := "nothing " + what
		if len(j.excused[id]) > 0 {
			measured = what + " within its bounds: " + strings.Join(j.excused[id], ", ")
		}
		j.say(id, measured)
	}
}
