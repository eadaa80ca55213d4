using System.Globalization;
using System.Text;

namespace Dori.Models;

/// <summary>Unicode normalisation form C (UAX #15), the same on every machine.</summary>
internal static class CanonicalComposition
{
    // Hangul is arithmetic (The Unicode Standard, section 3.12).
    private const int S = 0xAC00, L = 0x1100, V = 0x1161, T = 0x11A7, LCount = 19, VCount = 21, TCount = 28;

    private static readonly Lazy<Tables> Data = new(() => new Tables());

    /// <summary>Lone surrogates become U+FFFD.</summary>
    public static string Normalize(string text)
    {
        // Below U+0300 nothing combines and every character is its own composition.
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF') < 0) return text;

        Tables tables = Data.Value;
        var points = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) Decompose(tables, rune.Value, points);
        Order(tables, points);
        Compose(tables, points);

        var composed = new StringBuilder(points.Count);
        foreach (int point in points) composed.Append(new Rune(point));
        return composed.ToString();
    }

    private static void Decompose(Tables tables, int point, List<int> points)
    {
        if (point is >= S and < S + LCount * VCount * TCount)
        {
            int syllable = point - S;
            points.Add(L + syllable / (VCount * TCount));
            points.Add(V + syllable % (VCount * TCount) / TCount);
            if (syllable % TCount != 0) points.Add(T + syllable % TCount);
        }
        else if (tables.Decompositions.TryGetValue(point, out (int First, int Second) parts))
        {
            Decompose(tables, parts.First, points);
            if (parts.Second != 0) Decompose(tables, parts.Second, points);
        }
        else
        {
            points.Add(point);
        }
    }

    /// <summary>Every run of combining marks in the order of their classes, stably: an insertion sort would be quadratic on a hostile
    /// run.</summary>
    private static void Order(Tables tables, List<int> points)
    {
        for (int start = 0; start < points.Count; start++)
        {
            int end = start;
            bool ordered = true;
            for (; end < points.Count && tables.Class(points[end]) != 0; end++)
                ordered &= end == start || tables.Class(points[end - 1]) <= tables.Class(points[end]);
            if (!ordered)
            {
                int[] sorted = [.. points.GetRange(start, end - start).OrderBy(tables.Class)];
                for (int i = 0; i < sorted.Length; i++) points[start + i] = sorted[i];
            }
            start = Math.Max(start, end - 1);
        }
    }

    private static void Compose(Tables tables, List<int> points)
    {
        int starter = -1, kept = 0, previousClass = 0;
        for (int i = 0; i < points.Count; i++)
        {
            int point = points[i], combiningClass = tables.Class(point);
            // Blocked where a mark of the same or a higher class, or another starter, stands between.
            bool adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || previousClass != 0 && previousClass < combiningClass)
                && Pair(tables, points[starter], point) is int composite)
            {
                points[starter] = composite;
                continue;
            }
            if (combiningClass == 0) starter = kept;
            previousClass = combiningClass;
            points[kept++] = point;
        }
        points.RemoveRange(kept, points.Count - kept);
    }

    private static int? Pair(Tables tables, int first, int second)
    {
        if (first is >= L and < L + LCount && second is >= V and < V + VCount) return S + ((first - L) * VCount + second - V) * TCount;
        if (first is >= S and < S + LCount * VCount * TCount && (first - S) % TCount == 0 && second is > T and < T + TCount)
            return first + second - T;
        return tables.Compositions.TryGetValue((first, second), out int composite) ? composite : null;
    }

    private sealed class Tables
    {
        private readonly Dictionary<int, byte> classes = [];

        public Tables()
        {
            foreach (string entry in Entries(CanonicalTables.Decompositions))
            {
                int equals = entry.IndexOf('=', StringComparison.Ordinal), joint = entry.AsSpan().IndexOfAny('+', '-');
                int composite = Hex(entry.AsSpan(0, equals));
                int first = Hex(joint < 0 ? entry.AsSpan(equals + 1) : entry.AsSpan()[(equals + 1)..joint]);
                int second = joint < 0 ? 0 : Hex(entry.AsSpan(joint + 1));
                Decompositions[composite] = (first, second);
                if (joint >= 0 && entry[joint] == '+') Compositions[(first, second)] = composite;
            }
            foreach (string entry in Entries(CanonicalTables.CombiningClasses))
            {
                string[] halves = entry.Split('=');
                int[] range = [.. halves[0].Split('-').Select(point => Hex(point))];
                for (int point = range[0]; point <= range[^1]; point++) classes[point] = byte.Parse(halves[1]);
            }
        }

        public Dictionary<int, (int First, int Second)> Decompositions { get; } = [];

        public Dictionary<(int First, int Second), int> Compositions { get; } = [];

        public int Class(int point) => classes.GetValueOrDefault(point);

        private static string[] Entries(string table) => table.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);

        private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.HexNumber);
    }
}
