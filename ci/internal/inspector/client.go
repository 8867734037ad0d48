package inspector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

var (
	// ErrOff says that the lab keeps no facts.
	ErrOff = errors.New("the lab keeps no facts of what services send; bring it up with `lab up --inspect`")
	// ErrNoFacts says that the inspector has seen nothing of the service or of its run.
	ErrNoFacts = errors.New("the inspector has seen nothing")
)

// Client asks a running inspector.
type Client struct {
	// URL is the inspector's base URL, without a slash at its end; "" if the lab has none.
	URL string
	// HTTP sends the requests; nil is a client that waits for 30 s.
	HTTP *http.Client
}

var defaultClient = &http.Client{Timeout: 30 * time.Second}

// maxAnswer bounds an answer, in bytes: all lists at their bounds are about 20 MB.
const maxAnswer = 64 << 20

// Facts returns the facts of one service: of one run, or of all runs if run is empty. It
// fails with [ErrOff] and [ErrNoFacts].
func (c Client) Facts(ctx context.Context, service, run string) (facts.Service, error) {
	query := url.Values{"service": {service}}
	if run != "" {
		query.Set("run", run)
	}
	var s facts.Service
	err := c.get(ctx, "/api/v1/facts?"+query.Encode(), KindFacts, &s)
	if errors.Is(err, ErrNoFacts) {
		err = fmt.Errorf("%w of the service %.80q", ErrNoFacts, service)
		if run != "" {
			err = fmt.Errorf("%w in the run %.40q", err, run)
		}
	}
	return s, err
}

// Services lists the services that the inspector has seen, by name. It fails with [ErrOff].
func (c Client) Services(ctx context.Context) ([]facts.Summary, error) {
	var s Services
	err := c.get(ctx, "/api/v1/services", KindServices, &s)
	return s.Services, err
}

func (c Client) get(ctx context.Context, path, kind string, into any) error {
	if c.URL == "" {
		return ErrOff
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return err
	}
	client := c.HTTP
	if client == nil {
		client = defaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the inspector: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the inspector's answer: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err := report.Decode(body, kind, into); err != nil {
			return fmt.Errorf("the inspector's answer: %w", err)
		}
		return nil
	case http.StatusNotFound:
		return ErrNoFacts
	case http.StatusServiceUnavailable:
		return ErrOff
	}
	return fmt.Errorf("the inspector answered %s: %.200s", resp.Status, strings.TrimSpace(string(body)))
}
