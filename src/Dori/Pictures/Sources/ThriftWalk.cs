namespace Dori.Pictures.Sources;

/// <summary>
/// Walks a structure of Thrift's compact protocol, as Parquet's footer and page headers are, before the library reads it: that one goes on
/// for ever, or asks for any amount of memory, where a number in it is damaged.
/// </summary>
internal ref struct ThriftWalk(ReadOnlySpan<byte> bytes)
{
    private const int Deepest = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Bytes walked.</summary>
    public int At { get; private set; }

    /// <summary>Numbers on the way by the ids that lead to them: "3", "5.1". Those in lists have no name.</summary>
    public Dictionary<string, long> Numbers { get; } = [];

    /// <exception cref="InvalidDataException">It does not end within its bytes, or is not made as such structures are.</exception>
    public void Struct(string path = "", int depth = 0)
    {
        if (depth > Deepest) throw new InvalidDataException("its headers are nested too deeply");
        for (int id = 0; ;)
        {
            int head = Byte(), type = head & 15, step = head >> 4;
            if (head == 0) return;
            id = step == 0 ? (int)ZigZag() : id + step;
            Value(type, path.Length == 0 ? $"{id}" : $"{path}.{id}", depth);
        }
    }

    private void Value(int type, string? path, int depth, bool inList = false)
    {
        switch (type)
        {
            case 1 or 2:
                if (inList) Byte(); // elsewhere the type is the value
                break;
            case 3: Skip(1); break;
            case 4 or 5 or 6:
                long number = ZigZag();
                if (path is not null) Numbers[path] = number;
                break;
            case 7: Skip(8); break;
            case 8: Skip(Size()); break;
            case 9 or 10: List(depth); break;
            case 12: Struct(path ?? "list", depth + 1); break;
            default: throw new InvalidDataException($"its headers hold a field of type {type}");
        }
    }

    private void List(int depth)
    {
        if (depth > Deepest) throw new InvalidDataException("its headers are nested too deeply");
        int head = Byte(), count = head >> 4 == 15 ? Size() : head >> 4;
        for (int i = 0; i < count; i++) Value(head & 15, null, depth + 1, inList: true); // each takes a byte or more, so that it ends
    }

    private int Byte() => At < _bytes.Length ? _bytes[At++] : throw new InvalidDataException("its headers are cut off");

    private void Skip(int count)
    {
        if (count > _bytes.Length - At) throw new InvalidDataException("its headers are cut off");
        At += count;
    }

    /// <summary>Of what follows: no more than there are bytes.</summary>
    private int Size()
    {
        ulong size = Varint();
        return size <= (ulong)(_bytes.Length - At) ? (int)size : throw new InvalidDataException("its headers are cut off");
    }

    private long ZigZag()
    {
        ulong value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            int part = Byte();
            value |= (ulong)(part & 127) << shift;
            if (part < 128) return value;
        }
        throw new InvalidDataException("its headers hold a number without end");
    }
}
