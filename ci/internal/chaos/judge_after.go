package chaos

import (
	"fmt"
	"strings"
	"time"
)

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
		if at > j.fresh {
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
