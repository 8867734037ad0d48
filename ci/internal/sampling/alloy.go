package sampling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// component is where Alloy says how its tail sampling is set, see
// config/alloy/sampling/tail.alloy.
const component = "/api/v0/web/components/sampling.traces.lab/otelcol.processor.tail_sampling.traces"

// maxAnswer bounds what is read of Alloy's answer, which has some 5 kB.
const maxAnswer = 1 << 20

// setting is an attribute or a block of Alloy's configuration, as its API shows it.
type setting struct {
	Name  string    `json:"name"`
	Body  []setting `json:"body"`
	Value struct {
		Value json.RawMessage `json:"value"`
	} `json:"value"`
}

// Read asks the Alloy at that address how it samples: what runs, not what was asked for.
func Read(ctx context.Context, client *http.Client, alloy string) (t Traces, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, alloy+component, nil)
	if err != nil {
		return t, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return t, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return t, fmt.Errorf("asking Alloy how it samples: %w", err)
	}
	var answer struct {
		Arguments []setting `json:"arguments"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return t, fmt.Errorf("asking Alloy how it samples: %w", err)
	}
	var errs [5]error
	t.Wait, errs[0] = time.ParseDuration(text(answer.Arguments, "decision_wait"))
	t.Percent, errs[1] = strconv.ParseFloat(text(answer.Arguments, "policy", "probabilistic", "sampling_percentage"), 64)
	slow, err := strconv.ParseInt(text(answer.Arguments, "policy", "latency", "threshold_ms"), 10, 64)
	t.Slow, errs[2] = time.Duration(slow)*time.Millisecond, err
	if s := text(answer.Arguments, "policy", "probabilistic", "hash_salt"); s != salt {
		errs[3] = fmt.Errorf("the hash's salt is %q, not %q", s, salt)
	}
	if !(t.Percent > 0) {
		errs[4] = errors.New("a share of 0")
	}
	if err := errors.Join(errs[:]...); err != nil {
		return Traces{}, fmt.Errorf("how Alloy samples is not readable: %w", err)
	}
	return t, nil
}

// text returns the value of the first attribute at the path of names.
func text(settings []setting, path ...string) string {
	for _, s := range settings {
		switch {
		case s.Name != path[0]:
		case len(path) > 1:
			if found := text(s.Body, path[1:]...); found != "" {
				return found
			}
		default:
			var quoted string
			if json.Unmarshal(s.Value.Value, &quoted) == nil {
				return quoted
			}
			return string(s.Value.Value)
		}
	}
	return ""
}
