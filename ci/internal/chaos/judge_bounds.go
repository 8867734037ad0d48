package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// during tells whether the request was under way from so long before the harm was done to one
// of the components until that time.
func (j *judgement) during(harm string, components []string, a traffic.Answer, before time.Duration, until func(Action) time.Time) bool {
	return slices.ContainsFunc(j.o.Actions, func(action Action) bool {
		return action.What == harm && slices.Contains(components, action.Component) &&
			a.Ended.After(action.At.Add(-before)) && a.Sent.Before(until(action))
	})
}

// ready is when the lab was well again, whatever was done to it.
func (j *judgement) ready(Action) time.Time { return j.o.Ready }

// killedWith tells whether the service was killed so soon after the request that what it
// had to export went with it. bound is how long that takes.
func (j *judgement) killedWith(service string, a traffic.Answer, bound time.Duration) bool {
	return j.during("kill", []string{service}, a, bound, func(action Action) time.Time { return action.Done })
}

// allow takes out the requests that a promise allows, and notes for it how many they are.
func (j *judgement) allow(promise, what string, numbers []int, allowed func(traffic.Answer) bool) (unexcused []int) {
	for _, n := range numbers {
		if !allowed(j.byN[n]) {
			unexcused = append(unexcused, n)
		}
	}
	if n := len(numbers) - len(unexcused); n > 0 {
		j.excuse(promise, fmt.Sprintf(what, n))
	}
	return unexcused
}

func (j *judgement) excuse(promise, what string) {
	j.excused[promise] = append(j.excused[promise], what)
}

// split takes out the losses that [Unexported] allows.
func (j *judgement) split(service, what string, lost []int) (unexcused []int) {
	return j.allow(Unexported, "%d "+what+" of the "+service, lost, func(a traffic.Answer) bool { return j.killedWith(service, a, unexported) })
}

// unflushed takes out the losses that [Unflushed] allows.
func (j *judgement) unflushed(lost []int, what string) (unexcused []int) {
	return j.allow(Unflushed, "%d "+what, lost, func(a traffic.Answer) bool { return j.killedWith(target.Tempo, a, unflushed) })
}

// waited takes out the doubled lines that [OneTenant] allows: those that were in a batch with
// lines that Loki had no room for, from the beginning of that until it had.
func (j *judgement) waited(doubled []int) (unexcused []int) {
	return j.allow(OneTenant, "lines of %d requests", doubled, func(a traffic.Answer) bool {
		return j.during(tenantLabels, []string{target.Alloy}, a, 0, func(Action) time.Time { return j.o.Healed.Add(streamsFull) })
	})
}

// sentAgain takes out what is doubled and [SentAgain] allows, when one of the components was
// frozen and telemetry of the request may have been on its way to it.
func (j *judgement) sentAgain(doubled []int, what string, frozen ...string) (unexcused []int) {
	return j.allow(SentAgain, what, doubled, func(a traffic.Answer) bool { return j.during("freeze", frozen, a, unanswered, j.ready) })
}

// unwritten takes out the losses of spans that Tempo or Alloy may have had and not written.
func (j *judgement) unwritten(lost []int, what string) (unexcused []int) {
	return j.fullDisk(FullAlloy, j.fullDisk(FullTempo, j.unflushed(lost, what), what), what)
}

// fullDisk takes out the losses that [FullTempo] or [FullAlloy] allows: what the component had
// not written when its disk was full, and what came until it was well again.
func (j *judgement) fullDisk(promise string, lost []int, what string) (unexcused []int) {
	full := []string{map[string]string{FullTempo: target.Tempo, FullAlloy: target.Alloy}[promise]}
	return j.allow(promise, "%d "+what, lost, func(a traffic.Answer) bool { return j.during(fillDisk, full, a, unflushed, j.ready) })
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
