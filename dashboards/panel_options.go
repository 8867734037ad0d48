package dashboards

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// valueTexts reads the texts that a panel shows instead of single values.
func valueTexts(options json.RawMessage) ([]ValueText, error) {
	var byValue map[string]struct {
		Text  string `json:"text"`
		Color string `json:"color"`
	}
	if err := json.Unmarshal(options, &byValue); err != nil {
		return nil, fmt.Errorf("value mappings: %w", err)
	}
	var all []ValueText
	for _, value := range slices.Sorted(maps.Keys(byValue)) {
		all = append(all, ValueText{Value: value, Text: byValue[value].Text, Color: byValue[value].Color})
	}
	return all, nil
}

// columns reads which columns a table hides or renames.
func (p *Panel) columns(transformations []fileTransformation) {
	for _, t := range transformations {
		if t.ID != "organize" {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(t.Options.ExcludeByName)) {
			if t.Options.ExcludeByName[name] {
				p.Hidden = append(p.Hidden, name)
			}
		}
		p.Renamed = t.Options.RenameByName
	}
}
