using System.Text;
using System.Text.Json;
using CsvHelper;

namespace Dori.Pictures.Sources;

/// <summary>Rows of a CSV or a JSON lines file, as text by column.</summary>
internal sealed class MetadataTable
{
    /// <summary>One row. A field that is not there is null.</summary>
    /// <param name="Number">For a person: in a CSV the header is 1; in JSON lines the line.</param>
    /// <param name="Fields">By column.</param>
    /// <param name="Lists">Columns that hold a list or an object, which are no text.</param>
    internal sealed record Row(int Number, IReadOnlyDictionary<string, string> Fields, IReadOnlyCollection<string> Lists)
    {
        public string? this[string column] => Fields.GetValueOrDefault(column);
    }

    /// <summary>A row is some 500 bytes in memory, however short it is in the file.</summary>
    private const int MostRows = 300_000;

    /// <param name="path">UTF-8, with or without a byte order mark, any line ends; fields with the delimiter, quotes or line breaks are
    /// quoted.</param>
    /// <param name="delimiter">Between fields.</param>
    /// <param name="required">Columns that must be there.</param>
    public static List<Row> ReadCsv(string path, char delimiter, params string[] required)
    {
        var options = new CsvReaderOptions { Separator = delimiter, HasHeader = false, MalformedData = CsvMalformedDataHandling.Throw,
            TrimWhitespace = true };
        using CsvReader reader = CsvReader.FromText(CaptionText.Decode(InputFile.ReadBytes(path, InputKind.Metadata), path), options);
        var rows = new List<Row>();
        if (!Read(reader, path, 1)) return rows;
        string[] header = [.. Fields(reader).Select(column => column.Trim())];
        foreach (string column in required)
            if (!header.Contains(column)) throw new DoriException($"{path}: has no column \"{column}\"; {Columns(header, delimiter)}");
        if (header.GroupBy(column => column).FirstOrDefault(group => group.Key.Length > 0 && group.Count() > 1) is { } twice)
            throw new DoriException($"{path}: has the column \"{twice.Key}\" twice");
        for (int number = 2; Read(reader, path, number); number++)
        {
            if (rows.Count == MostRows) throw TooMany(path);
            string[] fields = Fields(reader);
            if (fields.Length != header.Length)
                throw new DoriException(
                    $"{path}: row {number} has {fields.Length} fields where the header has {header.Length}; put captions with "
                    + $"\"{delimiter}\" into quotation marks");
            rows.Add(
                new Row(number,
                Enumerable.Range(0, header.Length).DistinctBy(i => header[i]).ToDictionary(i => header[i], i => fields[i]), []));
        }
        return rows;
    }

    /// <summary>
    /// What separates a CSV's fields: the sign that gives a column with one of these names, and the comma where none does.
    /// </summary>
    public static char Separator(string path, IReadOnlyCollection<string> columns)
    {
        string head = CaptionText.Decode(InputFile.ReadBytes(path, InputKind.Metadata), path).Split('\n', 2)[0];
        return new[] { ',', ';', '\t' }.FirstOrDefault(sign =>
            head.Split(sign) is { Length: > 1 } names && names.Any(name => columns.Contains(name.Trim().Trim('"'))), ',');
    }

    private static string Columns(string[] header, char delimiter)
    {
        char other = delimiter == ',' ? ';' : ',';
        string tail = header is [var only] && only.Contains(other, StringComparison.Ordinal)
            ? $", whose fields are separated by '{other}' where '{delimiter}' is wanted" : "";
        return $"its columns are {string.Join(", ", header.Select(column => $"\"{column}\""))}{tail}";
    }

    /// <param name="path">UTF-8, one JSON object a line.</param>
    /// <param name="required">Fields that must be in every line.</param>
    public static List<Row> ReadJsonLines(string path, params string[] required)
    {
        var rows = new List<Row>();
        int number = 0;
        foreach (string line in InputFile.ReadLines(path, InputKind.Metadata))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (rows.Count == MostRows) throw TooMany(path);
            JsonElement json;
            try
            {
                using JsonDocument document = StrictJson.Document(Encoding.UTF8.GetBytes(line));
                json = document.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw new DoriException($"{path}: row {number} is not JSON: {e.Message}", e);
            }
            if (json.ValueKind != JsonValueKind.Object) throw new DoriException($"{path}: row {number} is not a JSON object");
            var fields = new Dictionary<string, string>();
            var lists = new List<string>();
            foreach (JsonProperty property in json.EnumerateObject())
                if (property.Value.ValueKind is JsonValueKind.String) fields[property.Name] = property.Value.GetString()!;
                else if (property.Value.ValueKind is JsonValueKind.Number) fields[property.Name] = property.Value.GetRawText();
                else if (property.Value.ValueKind is JsonValueKind.Array or JsonValueKind.Object) lists.Add(property.Name);
            foreach (string name in required)
                if (!fields.ContainsKey(name)) throw new DoriException($"{path}: row {number} has no text \"{name}\"");
            rows.Add(new Row(number, fields, lists));
        }
        return rows;
    }

    private static DoriException TooMany(string path) => new($"{path}: has more than {MostRows} rows; split the list");

    private static bool Read(CsvReader reader, string path, int number)
    {
        try
        {
            return reader.Read();
        }
        catch (CsvFormatException e)
        {
            throw new DoriException(
                $"{path}: row {number}: a quotation mark out of place; put the whole field into quotation marks and double those inside",
                e);
        }
    }

    private static string[] Fields(CsvReader reader) => [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetString)];
}
