package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Event is something that happened to an object.
type Event struct {
	Ref
	Type, Reason, Message string
	Count                 int
	Last                  time.Time
}

// readEvents asks the cluster for the events, the oldest first.
func readEvents(ctx context.Context, k Kubectl) ([]Event, error) {
	var all []Event
	for _, where := range scope(k) {
		raw, err := k.Kubectl(ctx, nil, "get", "events", where, "--output=json")
		if err != nil {
			return nil, err
		}
		found, err := parseEvents(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	sortEvents(all)
	return all, nil
}

func sortEvents(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return a.Last.Compare(b.Last) })
}

// parseEvents reads the JSON output of `kubectl get events`. The oldest event comes first.
func parseEvents(raw []byte) ([]Event, error) {
	var list struct {
		Items []struct {
			InvolvedObject        struct{ Kind, Namespace, Name string }
			Type, Reason, Message string
			Count                 int
			LastTimestamp         time.Time
			EventTime             time.Time
			Series                *struct {
				Count            int
				LastObservedTime time.Time
			}
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	var events []Event
	for _, i := range list.Items {
		e := Event{Ref: Ref(i.InvolvedObject), Type: i.Type, Reason: i.Reason, Message: i.Message, Count: max(1, i.Count), Last: i.LastTimestamp}
		if e.Last.IsZero() {
			e.Last = i.EventTime
		}
		if i.Series != nil {
			e.Count, e.Last = i.Series.Count, i.Series.LastObservedTime
		}
		events = append(events, e)
	}
	sortEvents(events)
	return events, nil
}
