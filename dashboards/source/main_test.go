package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestFiles checks that the committed files are what the code writes.
func TestFiles(t *testing.T) {
	for name, build := range pages {
		want, err := render(build)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("dashboards/%s is not what the code writes: run `go generate ./dashboards` (- code, + file):\n%s",
				name, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
		}
	}
	files, err := filepath.Glob("../*.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(pages)), files); diff != "" {
		t.Errorf("files in dashboards/ (- written, + there):\n%s", diff)
	}
}

// TestStrict reads the files with the SDK's types, which know every field of
// Grafana's dashboards, panels and queries.
func TestStrict(t *testing.T) {
	for name := range pages {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := strict(data); err != nil {
			t.Errorf("dashboards/%s: %v", name, err)
		}
	}
}

func strict(data []byte) error {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	if err := d.UnmarshalJSONStrict(data); err != nil {
		return err
	}
	if err := d.Validate(); err != nil {
		return err
	}
	// The SDK drops unknown fields of some types without an error. Then its result
	// differs from the file.
	again, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var before, after any
	if err := errors.Join(json.Unmarshal(data, &before), json.Unmarshal(again, &after)); err != nil {
		return err
	}
	if diff := cmp.Diff(filled(before), filled(after)); diff != "" {
		return fmt.Errorf("the SDK reads something else (- file, + read):\n%s", diff)
	}
	return nil
}

// filled drops empty values, because the SDK may write null or leave a field out.
func filled(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if v[key] = filled(inner); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = filled(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

// TestStrictFails misspells a field at each level: the SDK notices.
func TestStrictFails(t *testing.T) {
	overview, err := render(overview)
	if err != nil {
		t.Fatal(err)
	}
	performance, err := render(performance)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, new string
		data           []byte
	}{
		{"of the dashboard", `"refresh"`, `"refesh"`, overview},
		{"of a row", `"collapsed"`, `"colapsed"`, overview},
		{"of a panel", `"datasource": {
        "type": "prometheus",
        "uid": "mimir"
      },
      "gridPos"`, `"dataSource": {
        "type": "prometheus",
        "uid": "mimir"
      },
      "gridPos"`, overview},
		{"of a panel's place", `"gridPos": {
        "h": 4`, `"gridPos": {
        "height": 4`, overview},
		{"of a field's settings", `"thresholds": {`, `"threshold": {`, overview},
		{"of a stat's options", `"graphMode"`, `"graphmode"`, overview},
		{"of a graph's lines", `"lineWidth"`, `"linewidth"`, overview},
		{"of a heatmap's options", `"yAxis"`, `"yAxes"`, performance},
		{"of a table's options", `"showHeader"`, `"showheader"`, performance},
		{"of a query of Mimir", `"legendFormat"`, `"legend"`, overview},
		{"of a query of Loki", `"maxLines"`, `"limit"`, overview},
		{"of a query of Tempo", `"tableType"`, `"table"`, overview},
		{"of a variable", `"includeAll"`, `"includeall"`, overview},
		{"of the wrong type", `"schemaVersion": 42`, `"schemaVersion": "42"`, overview},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !bytes.Contains(c.data, []byte(c.old)) {
				t.Fatalf("there is no %s to misspell", c.old)
			}
			if err := strict(bytes.Replace(c.data, []byte(c.old), []byte(c.new), 1)); err == nil {
				t.Errorf("%s instead of %s is read without an error", c.new, c.old)
			}
		})
	}
}

// TestPlain checks that the files contain no escapes for HTML and end in a newline.
func TestPlain(t *testing.T) {
	for name, build := range pages {
		data, err := render(build)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(`\u00`)) {
			t.Errorf("%s has escapes", name)
		}
		if !bytes.HasSuffix(data, []byte("}\n")) {
			t.Errorf("%s does not end in a line", name)
		}
	}
}
