using System.IO.Compression;
using System.Text.Json;
using Dori.Checkpoints.SingleFile;
using Dori.Tests.Support;

namespace Dori.Tests.Checkpoints.SingleFile;

/// <summary>The rules against diffusers' own conversion, name by name, in both directions.</summary>
public class NamesTests
{
    private const string UNet = "model.diffusion_model.", Vae = "first_stage_model.";

    [Theory]
    [InlineData("sd1", 0, 1, 1, 1)]
    [InlineData("sd2", 0, 1, 1, 1)]
    [InlineData("sdxl", 1, 1, 0)]
    public void The_UNets_names_are_diffusers(string kind, params int[] attends)
    {
        foreach ((string single, JsonElement target) in Table(kind, "unet"))
        {
            string name = target[0].GetString()!;
            Assert.Equal(name, UNetNames.ToDiffusers(single[UNet.Length..], 2));
            Assert.Equal(single[UNet.Length..], UNetNames.ToSingle(name, 2, block => attends[block] == 1));
        }
    }

    [Theory]
    [InlineData("sd1")]
    [InlineData("sd2")]
    [InlineData("sdxl")]
    public void The_VAEs_names_are_diffusers(string kind)
    {
        foreach ((string single, JsonElement target) in Table(kind, "vae")) Assert.Equal(target[0].GetString(
            ), VaeNames.ToDiffusers(single[Vae.Length..], 4));
    }

    [Theory]
    [InlineData("sd2", "text_encoder", "cond_stage_model.model.", 1024)]
    [InlineData("sdxl", "text_encoder_2", "conditioner.embedders.1.model.", 1280)]
    public void OpenClips_names_are_transformers(string kind, string part, string prefix, int width)
    {
        foreach ((string single, JsonElement target) in Table(kind, part))
        {
            string[] expected = target[0].ValueKind == JsonValueKind.Array
                ? [.. target.EnumerateArray().Select(one => $"{one[0].GetString()} {one[2].GetString()}")]
                : [$"{target[0].GetString()}{(target.GetArrayLength() > 2 ? " transposed" : "")}"];
            Assert.Equal(expected, TextNames.OpenClip(single[prefix.Length..]).Select(t =>
                $"{t.Name}{(t.Part is { } i ? $" rows {i * width} to {(i + 1) * width}" : "")}{(t.Transposed ? " transposed" : "")}"));
        }
    }

    [Theory]
    [InlineData("input_blocks.3.1.norm.weight")]
    [InlineData("input_blocks.1.2.op.weight")]
    [InlineData("middle_block.0.norm.weight")]
    [InlineData("output_blocks.1.2.conv.weight")]
    [InlineData("time_embed.1.weight")]
    [InlineData("output_blocks.x.0.in_layers.0.weight")]
    public void A_name_that_no_UNet_has_is_none(string single) => Assert.Null(UNetNames.ToDiffusers(single, 2));

    internal static IEnumerable<(string Single, JsonElement Target)> Table(string kind, string part)
    {
        using var stream = new GZipStream(File.OpenRead(Golden.PathOf($"single_file_{kind}.json.gz")), CompressionMode.Decompress);
        using JsonDocument json = JsonDocument.Parse(stream);
        return [.. json.RootElement.GetProperty(part).EnumerateObject().Select(p => (p.Name, p.Value.Clone()))];
    }
}
