package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	// watchdog is the alert that always fires. When it does not, no alert can.
	watchdog = "Watchdog"
	// page is the severity of an alert that wakes a person.
	page = "page"
)

// causedOnPurpose are the paging alerts that may fire: the lab's traffic, and verify
// itself, make requests fail. The report names them.
var causedOnPurpose = map[string]bool{"HighErrorRatio": true}

// alerts fails when a paging alert fires. All components have answered before, so an
// alert that says that a component is down is wrong.
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
		errs = append(errs, fmt.Errorf("%s does not fire, though it always should: no alert can", watchdog))
	}
	if len(firing) == 0 {
		return "none fires", errors.Join(errs...)
	}
	return strings.Join(firing, ", "), errors.Join(errs...)
}
