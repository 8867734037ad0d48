package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	// watchdog is the alert that fires always, so that its absence says that none can.
	watchdog = "Watchdog"
	// page is the severity of alerts that somebody is woken for.
	page = "page"
)

// causedOnPurpose are the alerts that page and may fire all the same: the traffic of
// the lab, and verify itself, let requests fail. They are reported.
var causedOnPurpose = map[string]bool{"HighErrorRatio": true}

// alerts fails when an alert would wake somebody. That all components answer was
// found out before: one that is said to be down is none.
func (v *verifier) alerts(ctx context.Context) (string, error) {
	groups, err := v.mimir.Rules(ctx)
	if err != nil {
		return "", err
	}
	var firing []string
	var errs []error
	alive := false
	for _, g := range groups {
		for _, r := range g.Rules {
			for _, a := range r.Alerts {
				switch {
				case !a.Firing:
					continue
				case r.Name == watchdog:
					alive = true
				case a.Labels["severity"] == page && !causedOnPurpose[r.Name]:
					errs = append(errs, fmt.Errorf("%s fires: %s (docs/runbooks/%s.md says what to do)", r.Name, a.Summary, r.Name))
				}
				firing = append(firing, r.Name)
			}
		}
	}
	if !alive {
		errs = append(errs, fmt.Errorf("%s does not fire, which fires always: no alert can", watchdog))
	}
	if len(firing) == 0 {
		return "none fires", errors.Join(errs...)
	}
	return strings.Join(firing, ", "), errors.Join(errs...)
}
