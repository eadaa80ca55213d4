using System.Text;
using Parquet;
using Parquet.Schema;

namespace Dori.Pictures.Sources;

/// <summary>
/// One Parquet file, column by column and row group by row group. The file is opened for each reading. Nested columns are put in place by
/// their definition levels here: the library's own reading packs the values that are there and loses which rows they belong to.
/// </summary>
/// <param name="path">An error names it.</param>
internal sealed class ParquetTable(string path)
{
    private const int MostRows = 1_000_000;
    private const long LargestColumn = 1L << 32;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public string Path => path;

    /// <summary>Rows of each group.</summary>
    public IReadOnlyList<int> Groups => field ??= Reading((reader, _) => Enumerable.Range(0, reader.RowGroupCount).Select(group =>
    {
        using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
        return rows.RowCount is >= 0 and <= MostRows ? (int)rows.RowCount
            : throw new DoriException($"{path}: a group of {rows.RowCount} rows; at most {MostRows} are read");
    }).ToArray());

    /// <summary>Columns as <c>image.bytes</c>; of what type, and whether a row may hold several.</summary>
    public IReadOnlyList<ParquetColumn> Columns => field ??= Reading((reader, _) =>
        reader.Schema.GetDataFields().Select(ColumnOf).ToArray());

    private static ParquetColumn ColumnOf(DataField field)
    {
        Type type = field.ClrType;
        return new ParquetColumn(string.Join('.', field.Path.ToList()), field.MaxRepetitionLevel > 0,
            type == typeof(string) || type == typeof(ReadOnlyMemory<char>) ? ParquetType.Text
                : type == typeof(byte[]) || type == typeof(ReadOnlyMemory<byte>) ? ParquetType.Bytes : ParquetType.Other);
    }

    /// <summary>A column of text, or of bytes that are text; null where a row has none.</summary>
    public string?[] Texts(int group, ParquetColumn column) => column.Type == ParquetType.Text
        ? Column<ReadOnlyMemory<char>, string>(group, column, text => text.ToString())
        : Column<ReadOnlyMemory<byte>, string>(group, column, Text);

    /// <summary>A column of bytes; null where a row has none.</summary>
    public byte[]?[] Bytes(int group, ParquetColumn column) =>
        Column<ReadOnlyMemory<byte>, byte[]>(group, column, bytes => bytes.ToArray());

    private string Text(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return s_strict.GetString(bytes.Span);
        }
        catch (DecoderFallbackException e)
        {
            throw new DoriException($"{path}: a text of it is not UTF-8", e);
        }
    }

    private T?[] Column<TValue, T>(int group, ParquetColumn column, Func<TValue, T> convert) where TValue : struct where T : class =>
        Reading((reader, stream) =>
        {
            DataField field = reader.Schema.GetDataFields().First(f => string.Join('.', f.Path.ToList()) == column.Name);
            using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
            Parquet.Meta.ColumnMetaData meta = rows.GetMetadata(field)?.MetaData ?? throw new InvalidDataException("a column is missing");
            int count = Groups[group];
            if (meta.NumValues != count) throw new InvalidDataException($"{meta.NumValues} values in {count} rows");
            if (meta.TotalUncompressedSize > LargestColumn)
                throw new DoriException($"{path}: a group's {column.Name} is {meta.TotalUncompressedSize} bytes long; at most "
                    + $"{LargestColumn} are read: write it in smaller groups of rows");
            long first = meta.DictionaryPageOffset is > 0 ? Math.Min(meta.DictionaryPageOffset.Value, meta.DataPageOffset)
                : meta.DataPageOffset;
            ParquetCheck.Pages(stream, first, meta.TotalCompressedSize, meta.NumValues);
            var values = new TValue[count];
            int most = field.MaxDefinitionLevel;
            int[]? levels = most > 0 ? new int[count] : null;
            rows.ReadRawAsync<TValue>(field, values, levels is null ? default(Memory<int>?) : levels, null).AsTask().GetAwaiter()
                .GetResult();
            var result = new T?[count];
            int next = 0;
            for (int row = 0; row < count; row++)
                if (levels is null || levels[row] == most) result[row] = convert(values[next++]);
            return result;
        });

    private T Reading<T>(Func<ParquetReader, Stream, T> read)
    {
        try
        {
            using FileStream file = InputFile.Open(path, InputKind.Archive);
            using var stream = new BoundedStream(file, 8 * file.Length + (1 << 24));
            Span<byte> start = stackalloc byte[GitLfs.Length];
            GitLfs.RefusePointer(path, start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
            ParquetCheck.Footer(stream);
            ParquetReader reader = ParquetReader.CreateAsync(stream).GetAwaiter().GetResult();
            try
            {
                return read(reader, stream);
            }
            finally
            {
                reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }
        }
        catch (Exception e) when (e is not (DoriException or OutOfMemoryException))
        {
            // The library checks little of what it reads: whatever it stumbles over still is the file's fault.
            throw new DoriException($"{path}: not a Parquet file, or damaged: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}

/// <summary>A column by the names that lead to it.</summary>
/// <param name="IsList">A row may hold several values.</param>
internal sealed record ParquetColumn(string Name, bool IsList, ParquetType Type);

/// <summary>What a column holds, as far as that matters here.</summary>
internal enum ParquetType
{
    Text,
    Bytes,
    Other,
}
