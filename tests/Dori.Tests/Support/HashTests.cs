namespace Dori.Tests.Support;

public class HashTests
{
    [Fact]
    public void Fnv1a_is_the_published_hash() => Assert.Equal(1337668298941075077UL, Golden.Fnv1a("unet.conv_in.weight"));
}
