package query

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Period is a time in a program's settings, in any of the forms that Loki, Tempo and Mimir
// write: 24h0m0s, 30d, 1y (365 days). 0 is for ever.
type Period time.Duration

// UnmarshalYAML implements [yaml.Unmarshaler].
func (p *Period) UnmarshalYAML(node *yaml.Node) error {
	d, err := model.ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	*p = Period(d)
	return nil
}

// LokiStream is how long Loki keeps the lines of some streams.
type LokiStream struct {
	Selector string `yaml:"selector"`
	Period   Period `yaml:"period"`
}

// LokiSettings are those of Loki's settings that say how long it keeps lines.
type LokiSettings struct {
	Limits struct {
		Period  Period       `yaml:"retention_period"`
		Streams []LokiStream `yaml:"retention_stream"`
	} `yaml:"limits_config"`
	Compactor struct {
		// Enabled says that what is older is deleted.
		Enabled bool `yaml:"retention_enabled"`
	} `yaml:"compactor"`
}

// Settings returns the settings that Loki runs with.
func (l Loki) Settings(ctx context.Context) (s LokiSettings, err error) {
	err = getYAML(ctx, l.HTTP, l.URL, "/config", &s)
	return s, err
}

// TempoSettings are those of Tempo's settings that say how long it keeps traces.
type TempoSettings struct {
	Compactor struct {
		Compaction struct {
			Period Period `yaml:"block_retention"`
		} `yaml:"compaction"`
	} `yaml:"compactor"`
	Overrides struct {
		Defaults struct {
			Compaction struct {
				// Period is in the place of the compactor's, unless it is 0.
				Period Period `yaml:"block_retention"`
			} `yaml:"compaction"`
		} `yaml:"defaults"`
	} `yaml:"overrides"`
}

// Settings returns the settings that Tempo runs with.
func (t Tempo) Settings(ctx context.Context) (s TempoSettings, err error) {
	err = getYAML(ctx, t.HTTP, t.URL, "/status/config", &s)
	return s, err
}

// MimirSettings are those of Mimir's settings that say how long it keeps samples.
type MimirSettings struct {
	Limits struct {
		Period Period `yaml:"compactor_blocks_retention_period"`
	} `yaml:"limits"`
}

// Settings returns the settings that Mimir runs with.
func (m Mimir) Settings(ctx context.Context) (s MimirSettings, err error) {
	err = getYAML(ctx, m.HTTP, m.URL, "/config", &s)
	return s, err
}

// getYAML fetches base+path and decodes the answer. Tempo's begins with a title, before
// the mark of a document's start.
func getYAML(ctx context.Context, client *http.Client, base, path string, into any) error {
	req, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		return err
	}
	body, err := fetch(ctx, client, req)
	if err != nil {
		return err
	}
	if _, document, titled := bytes.Cut(body, []byte("\n---\n")); titled {
		body = document
	}
	if err := yaml.Unmarshal(body, into); err != nil {
		return unexpected(path, err, body)
	}
	return nil
}
