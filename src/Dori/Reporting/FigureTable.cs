namespace Dori.Reporting;

/// <summary>A table whose rows are named by ids: a heading cell and figures.</summary>
internal static class FigureTable
{
    public static void Write(HtmlWriter html, string name, (string Name, string? Css)[] columns,
        IEnumerable<(string Head, string[] Cells)> rows)
    {
        using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", name), ("tabindex", "0")))
            using (html.Open("table", ("class", "rates"), ("aria-label", name)))
            {
                using (html.Open("thead"))
                    using (html.Open("tr"))
                        foreach ((string column, string? css) in columns) html.Element("th", column, ("scope", "col"), ("class", css));
                using (html.Open("tbody"))
                    foreach ((string head, string[] cells) in rows)
                    {
                        using (html.Open("tr"))
                        {
                            using (html.Open("th", ("scope", "row"))) html.Foreign(head);
                            foreach ((string cell, (string, string? Css) column) in cells.Zip(columns.Skip(1)))
                                html.Element("td", cell, ("class", column.Css));
                        }
                    }
            }
    }
}
