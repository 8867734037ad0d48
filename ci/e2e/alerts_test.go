package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// alert is an alert that Mimir's ruler has, pending or firing.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
	ActiveAt    time.Time         `json:"activeAt"`
}

// alerts asks for the alerts, by their names.
func (l *testLab) alerts() map[string]alert {
	l.Helper()
	resp, err := client.Get(l.addresses.Mimir + "/prometheus/api/v1/alerts")
	if err != nil {
		l.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []alert `json:"alerts"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		l.Fatalf("the alerts of Mimir: %s, %v", resp.Status, err)
	}
	all := map[string]alert{}
	for _, a := range answer.Data.Alerts {
		all[a.Labels["alertname"]] = a
	}
	return all
}

// After Tempo is killed, TempoDown is pending and then fires, and no other alert does. After
// Tempo is started again, the alert is over.
func TestTempoDownFiresAndResolves(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	// Wait for Alloy's first samples: without them AlloyDown is rightly pending.
	l.eventually("Watchdog fires, and nothing else is pending", func() bool {
		alerts := l.alerts()
		return len(alerts) == 1 && alerts["Watchdog"].State == "firing"
	})
	begin := time.Now()
	l.kill("tempo")
	l.eventually("TempoDown is pending", func() bool { return l.alerts()["TempoDown"].State == "pending" })
	pending := time.Now()
	var fired alert
	l.eventually("TempoDown fires", func() bool {
		fired = l.alerts()["TempoDown"]
		return fired.State == "firing"
	})
	firing := time.Now()
	if have := fired.Labels; have["job"] != "tempo" || have["severity"] != "page" || fired.Annotations["summary"] != "Tempo is down" {
		t.Errorf("it fires with %v, %v", have, fired.Annotations)
	}
	// The rule's `for` is 30s; a poll and an evaluation may shorten the measured time.
	if waited := firing.Sub(pending); waited < 24*time.Second {
		t.Errorf("it fired %v after it was pending, want its for of 30s", waited)
	}
	if all := l.alerts(); len(all) != 2 {
		t.Errorf("there are alerts besides TempoDown and Watchdog: %v", all)
	}
	l.lab("up", "--detach")
	back := time.Now()
	l.eventually("TempoDown is over", func() bool { return l.alerts()["TempoDown"].State == "" })
	t.Logf("Tempo killed; pending after %.1f s, firing after %.1f s; Tempo ready again after %.1f s, resolved %.1f s later",
		pending.Sub(begin).Seconds(), firing.Sub(begin).Seconds(), back.Sub(begin).Seconds(), time.Since(back).Seconds())
}
