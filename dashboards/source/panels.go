package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/nodegraph"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// about returns a panel's description: what it shows, and what to do if that is bad.
func about(shows, do string) string { return shows + "\n\n**When it is red or unusual:** " + do }

// number is a panel with a single value and a small graph behind it.
func number(title, unit, description string, queries ...query) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(title).Description(description).Datasource(mimir).Unit(unit).
		Targets(lettered(queries)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeArea).
		JustifyMode(common.BigValueJustifyModeAuto).
		TextMode(common.BigValueTextModeAuto).
		WideLayout(true).
		Orientation(common.VizOrientationAuto).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		Thresholds(colors("green"))
}

// graph is a panel with series over time, and their means and last values below. A service
// has the same colour in every graph.
func graph(title, unit, description string, queries ...query) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().
		Title(title).Description(description).Datasource(mimir).Unit(unit).
		Targets(lettered(queries)).
		Min(0).
		LineWidth(1).
		FillOpacity(8).
		ShowPoints(common.VisibilityModeNever).
		SpanNulls(common.BoolOrFloat64{Bool: new(false)}).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassicByName)).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).
			ShowLegend(true).
			Calcs([]string{"mean", "lastNotNull"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
}

// stacked stacks a graph's series, for parts of a whole.
func stacked(g *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return g.FillOpacity(25).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// limited draws a graph's thresholds as dashed lines.
func limited(g *timeseries.PanelBuilder, steps ...step) *timeseries.PanelBuilder {
	return g.Thresholds(colors("transparent", steps...)).
		ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
}

// heat is a panel with the distribution of a histogram's values over time.
func heat(title, unit, description string, q query) *heatmap.PanelBuilder {
	return heatmap.NewPanelBuilder().
		Title(title).Description(description).Datasource(mimir).
		Targets(lettered([]query{q})).
		Calculate(false).
		Color(heatmap.NewHeatmapColorOptionsBuilder().
			Mode(heatmap.HeatmapColorModeScheme).Scheme("Oranges").
			Scale(heatmap.HeatmapColorScaleExponential).Exponent(0.5).Steps(64)).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit(unit).AxisPlacement(common.AxisPlacementLeft)).
		CellGap(1).
		CellValues(heatmap.NewCellValuesBuilder().Unit(units.Short).Decimals(1)).
		FilterValues(heatmap.NewFilterValueRangeBuilder().Le(1e-9)).
		RowsFrame(heatmap.NewRowsHeatmapOptionsBuilder().Layout(common.HeatmapCellLayoutAuto)).
		ShowValue(common.VisibilityModeNever).
		ShowLegend().
		ExemplarsColor("rgba(31, 96, 196, 0.9)").
		Tooltip(heatmap.NewHeatmapTooltipBuilder().Mode(common.TooltipDisplayModeSingle).YHistogram(true))
}

// list is a table of the results of queries.
func list(title, description string, from common.DataSourceRef, queries ...query) *table.PanelBuilder {
	return table.NewPanelBuilder().
		Title(title).Description(description).Datasource(from).
		Targets(lettered(queries)).
		ShowHeader(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"}).CountRows(false)).
		CellHeight(common.TableCellHeightSm)
}

// spanList is a table of spans, each with a link to its trace. It leaves out the columns
// about the root: traces of the traffic generator have none, since it sends trace ids but
// no spans.
func spanList(title, description string, q query) *table.PanelBuilder {
	return list(title, description, tempo, q).
		WithTransformation(columns(
			[]string{"Trace Service", "Trace Name", "kind", "status"},
			map[string]string{
				"service.name": "Service", "http.route": "Route", "http.response.status_code": "Status", "error.type": "Error",
			},
			"Start time", "service.name", "Name", "http.response.status_code", "Duration"))
}

// columns hides, renames and orders the columns of a table.
func columns(hidden []string, renamed map[string]string, order ...string) dashboard.DataTransformerConfig {
	exclude, index := map[string]bool{}, map[string]int{}
	for _, name := range hidden {
		exclude[name] = true
	}
	for i, name := range order {
		index[name] = i
	}
	return dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
		"excludeByName": exclude, "renameByName": renamed, "indexByName": index,
	}}
}

// sorted sorts a table by a column, the largest first.
func sorted(t *table.PanelBuilder, column string) *table.PanelBuilder {
	return t.SortBy([]cog.Builder[common.TableSortByFieldState]{
		common.NewTableSortByFieldStateBuilder().DisplayName(column).Desc(true),
	})
}

// property is one setting of a field.
func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

// logLines is a panel with log lines. A click on a line shows all of its fields and the
// link to its trace.
func logLines(title, description string, q query) *logs.PanelBuilder {
	return logs.NewPanelBuilder().
		Title(title).Description(description).Datasource(loki).
		Targets(lettered([]query{q})).
		ShowTime(true).
		WrapLogMessage(true).
		EnableLogDetails(true).
		SortOrder(common.LogsSortOrderDescending).
		DedupStrategy(common.LogsDedupStrategyNone)
}

// serviceMap is a panel that shows which service calls which.
func serviceMap(title, description string) *nodegraph.PanelBuilder {
	return nodegraph.NewPanelBuilder().
		Title(title).Description(description).Datasource(tempo).
		Targets(lettered([]query{serviceGraph}))
}

// step is the value at which a colour begins.
type step struct {
	from  float64
	color string
}

// colors are thresholds: a colour for the lowest values, and others from given values on.
func colors(lowest string, steps ...step) cog.Builder[dashboard.ThresholdsConfig] {
	all := []dashboard.Threshold{{Color: lowest}}
	for _, s := range steps {
		all = append(all, dashboard.Threshold{Value: &s.from, Color: s.color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(all)
}

// upOrDown shows texts in the place of 1 and 0.
func upOrDown(up, down string) []dashboard.ValueMapping {
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
		Type: dashboard.MappingTypeValueToText,
		Options: map[string]dashboard.ValueMappingResult{
			"0": {Text: &down, Color: new("red"), Index: new(int32(0))},
			"1": {Text: &up, Color: new("green"), Index: new(int32(1))},
		},
	}}}
}

// linked is a link from a panel to a dashboard of the lab, which keeps the time range and
// the variables.
func linked(title, uid string) []cog.Builder[dashboard.DashboardLink] {
	url := "/d/" + uid + "?${__url_time_range}&${__all_variables}"
	return []cog.Builder[dashboard.DashboardLink]{
		link{dashboard.DashboardLink{Title: title, Type: dashboard.DashboardLinkTypeLink, Url: &url, Tags: []string{}}},
	}
}
