package dashboards

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// The JSON of a dashboard, as Grafana 13 reads it (schemaVersion 42), without the fields
// that the lab does not use.
type (
	fileDashboard struct {
		UID         string   `json:"uid"`
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Tags        []string `json:"tags"`
		Refresh     string   `json:"refresh"`
		Time        struct {
			From string `json:"from"`
			To   string `json:"to"`
		} `json:"time"`
		Links      []fileLink  `json:"links"`
		Panels     []filePanel `json:"panels"`
		Templating struct {
			List []fileVariable `json:"list"`
		} `json:"templating"`
	}

	fileLink struct {
		Title string   `json:"title"`
		Type  string   `json:"type"`
		URL   string   `json:"url"`
		Tags  []string `json:"tags"`
	}

	fileDatasource struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}

	fileVariable struct {
		Name       string         `json:"name"`
		Label      string         `json:"label"`
		Type       string         `json:"type"`
		Query      any            `json:"query"`
		Datasource fileDatasource `json:"datasource"`
		Current    struct {
			Value any `json:"value"`
		} `json:"current"`
		AllValue string `json:"allValue"`
		Multi    bool   `json:"multi"`
	}

	filePanel struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct {
			X int `json:"x"`
			Y int `json:"y"`
			W int `json:"w"`
			H int `json:"h"`
		} `json:"gridPos"`
		Datasource      fileDatasource       `json:"datasource"`
		Targets         []fileTarget         `json:"targets"`
		Links           []fileLink           `json:"links"`
		FieldConfig     fileFieldConfig      `json:"fieldConfig"`
		Transformations []fileTransformation `json:"transformations"`
		Options         struct {
			ReduceOptions struct {
				Calcs []string `json:"calcs"`
			} `json:"reduceOptions"`
			YAxis struct {
				Unit string `json:"unit"`
			} `json:"yAxis"`
			SortBy []struct {
				DisplayName string `json:"displayName"`
				Desc        bool   `json:"desc"`
			} `json:"sortBy"`
		} `json:"options"`
		// Panels are those of a collapsed row.
		Panels    []filePanel `json:"panels"`
		Collapsed bool        `json:"collapsed"`
	}

	fileFieldConfig struct {
		Defaults struct {
			Unit       string   `json:"unit"`
			NoValue    string   `json:"noValue"`
			Decimals   *int     `json:"decimals"`
			Min        *float64 `json:"min"`
			Max        *float64 `json:"max"`
			Thresholds struct {
				Steps []struct {
					Value *float64 `json:"value"`
					Color string   `json:"color"`
				} `json:"steps"`
			} `json:"thresholds"`
			Mappings []struct {
				Type    string          `json:"type"`
				Options json.RawMessage `json:"options"`
			} `json:"mappings"`
			Custom struct {
				Stacking struct {
					Mode string `json:"mode"`
				} `json:"stacking"`
			} `json:"custom"`
		} `json:"defaults"`
		Overrides []struct {
			Matcher struct {
				ID      string `json:"id"`
				Options any    `json:"options"`
			} `json:"matcher"`
			Properties []struct {
				ID    string `json:"id"`
				Value any    `json:"value"`
			} `json:"properties"`
		} `json:"overrides"`
	}

	fileTransformation struct {
		ID      string `json:"id"`
		Options struct {
			ExcludeByName map[string]bool   `json:"excludeByName"`
			RenameByName  map[string]string `json:"renameByName"`
		} `json:"options"`
	}

	fileTarget struct {
		RefID        string         `json:"refId"`
		Datasource   fileDatasource `json:"datasource"`
		Expr         string         `json:"expr"`
		Query        string         `json:"query"`
		ServiceMap   any            `json:"serviceMapQuery"`
		LegendFormat string         `json:"legendFormat"`
		QueryType    string         `json:"queryType"`
		Instant      bool           `json:"instant"`
		Format       string         `json:"format"`
		TableType    string         `json:"tableType"`
		Limit        int            `json:"limit"`
		MaxLines     int            `json:"maxLines"`
		Exemplar     bool           `json:"exemplar"`
		Interval     string         `json:"interval"`
		Hide         bool           `json:"hide"`
	}
)

// Read reads a dashboard's JSON; file is the name of its file.
func Read(file string, data []byte) (Dashboard, error) {
	var f fileDashboard
	if err := json.Unmarshal(data, &f); err != nil {
		return Dashboard{}, fmt.Errorf("this is not a dashboard: %w", err)
	}
	d := Dashboard{
		File: file, UID: f.UID, Title: f.Title, Description: f.Description, Tags: f.Tags,
		From: f.Time.From, To: f.Time.To, Refresh: f.Refresh, Links: links(f.Links),
	}
	for _, v := range f.Templating.List {
		d.Variables = append(d.Variables, variable(v))
	}
	row := ""
	for _, p := range f.Panels {
		if p.Type != "row" {
			if err := d.add(p, row); err != nil {
				return Dashboard{}, err
			}
			continue
		}
		row = p.Title
		d.Rows = append(d.Rows, Row{ID: p.ID, Title: row, Grid: Grid(p.GridPos), Collapsed: p.Collapsed})
		for _, inside := range p.Panels {
			if err := d.add(inside, row); err != nil {
				return Dashboard{}, err
			}
		}
	}
	return d, nil
}

func (d *Dashboard) add(f filePanel, row string) error {
	p, err := panel(f, row)
	if err != nil {
		return fmt.Errorf("panel %d, %q: %w", f.ID, f.Title, err)
	}
	d.Panels = append(d.Panels, p)
	return nil
}

func links(fs []fileLink) []Link {
	var all []Link
	for _, f := range fs {
		all = append(all, Link(f))
	}
	return all
}

func variable(f fileVariable) Variable {
	v := Variable{Name: f.Name, Label: f.Label, Type: f.Type, Datasource: f.Datasource.Type, AllValue: f.AllValue, Multi: f.Multi}
	switch q := f.Query.(type) {
	case string:
		v.Query = q
	case map[string]any: // {"query": …, "refId": …}, as Grafana's own editor saves it
		v.Query, _ = q["query"].(string)
	}
	switch value := f.Current.Value.(type) {
	case string:
		v.Default = value
	case []any: // of a variable with several values, the first
		if len(value) > 0 {
			v.Default, _ = value[0].(string)
		}
	}
	return v
}

func panel(f filePanel, row string) (Panel, error) {
	c := f.FieldConfig.Defaults
	p := Panel{
		ID: f.ID, Row: row, Title: f.Title, Description: f.Description, Type: f.Type, Unit: c.Unit, NoValue: c.NoValue,
		Grid: Grid(f.GridPos), Decimals: c.Decimals, Min: c.Min, Max: c.Max, Links: links(f.Links),
		Stacked: c.Custom.Stacking.Mode == "normal" || c.Custom.Stacking.Mode == "percent",
	}
	if f.Type == "heatmap" { // a heatmap has the unit of its axis
		p.Unit = f.Options.YAxis.Unit
	}
	if calcs := f.Options.ReduceOptions.Calcs; len(calcs) > 0 {
		p.Reduce = calcs[0]
	}
	for _, s := range c.Thresholds.Steps {
		t := Threshold{Value: math.Inf(-1), Color: s.Color}
		if s.Value != nil {
			t.Value = *s.Value
		}
		p.Thresholds = append(p.Thresholds, t)
	}
	for _, m := range c.Mappings {
		if m.Type != "value" {
			continue
		}
		texts, err := valueTexts(m.Options)
		if err != nil {
			return Panel{}, err
		}
		p.Values = append(p.Values, texts...)
	}
	for _, o := range f.FieldConfig.Overrides {
		field := Field{By: o.Matcher.ID}
		field.Match, _ = o.Matcher.Options.(string)
		for _, property := range o.Properties {
			if property.ID == "unit" {
				field.Unit, _ = property.Value.(string)
			}
		}
		p.Fields = append(p.Fields, field)
	}
	for _, s := range f.Options.SortBy {
		p.Sort = append(p.Sort, Sort{Column: s.DisplayName, Descending: s.Desc})
	}
	p.columns(f.Transformations)
	for _, t := range f.Targets {
		q, err := query(t, f.Datasource)
		if err != nil {
			return Panel{}, fmt.Errorf("query %s: %w", t.RefID, err)
		}
		p.Queries = append(p.Queries, q)
	}
	return p, nil
}

func query(f fileTarget, ofPanel fileDatasource) (Query, error) {
	source := f.Datasource
	if source.UID == "" {
		source = ofPanel
	}
	q := Query{
		RefID: f.RefID, Datasource: source.Type, UID: source.UID, Expr: f.Expr, Legend: f.LegendFormat, QueryType: f.QueryType,
		Instant: f.Instant || f.QueryType == LokiInstant, Format: f.Format, Limit: max(f.Limit, f.MaxLines),
		Exemplar: f.Exemplar, Hidden: f.Hide,
	}
	if q.Datasource == Tempo {
		q.Expr, q.Format = f.Query, f.TableType
		if q.QueryType == TempoServiceMap {
			q.Expr, _ = f.ServiceMap.(string)
		}
	}
	if f.Interval == "" {
		return q, nil
	}
	var err error
	if q.MinStep, err = time.ParseDuration(f.Interval); err != nil {
		return Query{}, fmt.Errorf("min step %q: write it in seconds or minutes: %w", f.Interval, err)
	}
	return q, nil
}
